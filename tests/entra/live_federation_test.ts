/**
 * Two legs over real sockets and real TLS, against the emulator.
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { invalidClient } from "../../emulator/mod.ts";
import type { FirstLeg } from "../../src/entra/federation.ts";
import type { EntraBindingWish } from "../../src/entra/options.ts";
import { emulatedEntra, FIRST } from "./support/emulated.ts";

const SCOPE = "https://vault.azure.net/.default";
const entra = emulatedEntra();

describe("two legs at the emulator", () => {
  const firsts: [name: string, make: () => Promise<FirstLeg>][] = [
    ["a managed identity", () => entra.identityOf()],
    ["another application", () => entra.clientOf({ clientId: FIRST })],
  ];
  for (const [name, make] of firsts) {
    for (const wish of ["mtls_pop", "bearer"] as EntraBindingWish[]) {
      it(`from ${name} end in a token that is ${wish} and that a resource takes`, async () => {
        const client = entra.federated(await make());
        const response = await client.fetch(`${entra.emulator.resource}/x`, {
          scope: SCOPE,
          binding: wish,
        });
        assert.equal(response.status, 200);
        const [one, two, ...more] = await entra.emulator.requests("token");
        assert.equal(more.length, 0);
        assert.equal(one!.thumbprint, two!.thumbprint, "the same binding on both wires");
        assert.equal(one!.fields["token_type"], "mtls_pop");
        assert.equal(one!.correlationId, two!.correlationId);
        const { thumbprint } = await response.json();
        assert.equal(thumbprint, wish === "mtls_pop" ? two!.thumbprint : null);
      });
    }
  }

  it("heal: the identity's certificate is replaced when the second server rejects it", async () => {
    const client = entra.federated(await entra.identityOf());
    await entra.emulator.fault(
      "token",
      { kind: "pass" },
      { kind: "alert", alert: "bad_certificate" },
    );
    await client.getToken({ scope: SCOPE });
    const { getplatformmetadata, issuecredential, token } = await entra.emulator.counts();
    assert.deepEqual([getplatformmetadata, issuecredential, token], [2, 2, 3]);
  });

  it("heal once: a server that refuses everything is told of, not asked for ever", async () => {
    const client = entra.federated(await entra.identityOf());
    await entra.emulator.script("token", { kind: "pass" }, invalidClient(), { kind: "pass" });
    await entra.emulator.script("token", invalidClient());
    await assert.rejects(client.getToken({ scope: SCOPE }), { code: "invalid_client" });
    const { issuecredential, token } = await entra.emulator.counts();
    assert.deepEqual([issuecredential, token], [2, 4]);
  });
});
