/**
 * What becomes of a refused certificate when there is a function to ask for another one.
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { held } from "../flow/support/scripted_keys.ts";
import { until } from "../support/waiting.ts";
import type { ClientCredential } from "../../src/credential.ts";
import { KeyboundError } from "../../src/errors.ts";
import type { CredentialRequest } from "../../src/entra/credential_types.ts";
import type { ConfidentialClient } from "../../src/entra/options.ts";
import {
  type EntraScript,
  type FakeEntra,
  fakeEntra,
  newCredential,
  rejected,
  SCOPE,
  status,
  wire,
} from "./support/fake_entra.ts";

const invalidClient = () => status(401, { error: "invalid_client", error_codes: [700027] });

/** A client whose function gives these certificates one after the other, the last one for ever. */
async function rotating(
  entra: FakeEntra,
  ...given: ClientCredential[]
): Promise<{ client: ConfidentialClient; asked: CredentialRequest[] }> {
  const asked: CredentialRequest[] = [];
  const client = await entra.client({
    credential: (request) => {
      asked.push(request);
      return given.length > 1 ? given.shift()! : given[0]!;
    },
  });
  return { client, asked };
}

describe("a refused certificate", () => {
  it("that is the only one there is surfaces as what the server said", async () => {
    const entra = fakeEntra();
    const { client, asked } = await rotating(entra, await newCredential());
    entra.script("mtls", invalidClient());
    await assert.rejects(client.getToken({ scope: SCOPE }), {
      code: "invalid_client",
      errorCodes: [700027],
    });
    assert.equal(asked.length, 2);
    assert.equal(entra.counts(), "1+0+0+0");
  });

  it("isn't tried a third time", async () => {
    const entra = fakeEntra();
    const pair = [await newCredential(), await newCredential(), await newCredential()];
    const { client, asked } = await rotating(entra, ...pair);
    entra.always("mtls", rejected());
    await assert.rejects(client.getToken({ scope: SCOPE }), { code: "tls_credential_rejected" });
    assert.equal(entra.counts(), "2+0+0+0");
    assert.equal(asked.length, 2);
  });

  it("has its function asked again once a minute at most", async () => {
    const entra = fakeEntra();
    const { client, asked } = await rotating(entra, await newCredential());
    entra.always("mtls", wire());
    const code = "tls_credential_suspect";
    for (let i = 0; i < 10; i++) {
      await assert.rejects(client.getToken({ scope: SCOPE }), { code });
    }
    assert.equal(asked.filter(({ refused }) => refused !== undefined).length, 1);
    const outcomes = entra.events.filter((event) => event.type === "heal")
      .map(({ outcome }) => outcome);
    assert.deepEqual(outcomes, ["started", ...Array<string>(9).fill("cooldown")]);
    await entra.clock.advance(60_000);
    await assert.rejects(client.getToken({ scope: SCOPE }), { code });
    assert.equal(asked.filter(({ refused }) => refused !== undefined).length, 2);
  });

  it("leaves no cool-down behind where the function failed", async () => {
    const entra = fakeEntra();
    const own = await newCredential();
    const reason = new Error("vault is down");
    let fails = true;
    const client = await entra.client({
      credential: ({ refused }) => {
        if (refused === undefined) return own;
        if (fails) throw reason;
        return newCredential();
      },
    });
    entra.script("mtls", rejected(), rejected());
    await assert.rejects(client.getToken({ scope: SCOPE }), reason);
    fails = false;
    const { binding } = await client.getToken({ scope: SCOPE });
    assert.notEqual(binding.credential, own);
  });

  for (
    const [name, script] of [
      ["by an alert", rejected()],
      ["by a reset", wire()],
      ["by invalid_client", invalidClient()],
    ] as [string, EntraScript][]
  ) {
    it(`${name} gives way to the one its function gives then`, async () => {
      const entra = fakeEntra();
      const [old, renewed] = [await newCredential(), await newCredential()];
      const { client, asked } = await rotating(entra, old, old, renewed);
      const before = await client.getToken({ scope: SCOPE });
      assert.equal(before.binding.credential, old);
      entra.script("mtls", script);
      const { binding } = await client.getToken({ scope: "api://other/.default" });
      assert.equal(binding.credential, renewed);
      assert.equal(asked[2]!.refused, old);
      assert.equal(asked[2]!.correlationId, asked[1]!.correlationId);
      assert.deepEqual(entra.sent.map(({ thumbprint }) => thumbprint), [
        old.thumbprint,
        old.thumbprint,
        renewed.thumbprint,
      ]);
      assert.ok(entra.retired.includes(old.thumbprint));
      const evicted = entra.events.find((event) => event.type === "evict");
      assert.equal(evicted?.tokens, 1);
      assert.equal((await client.getToken({ scope: SCOPE })).binding.credential, renewed);
    });
  }

  it("isn't used again while its function, when it isn't told, still gives it", async () => {
    const entra = fakeEntra();
    const lifetime = 10 * 60_000;
    const [old, renewed] = [await newCredential(), await newCredential({ lifetime })];
    const client = await entra.client({
      credential: ({ refused }) => refused === undefined ? old : renewed,
    });
    entra.script("mtls", invalidClient());
    await client.getToken({ scope: SCOPE });
    const { binding } = await client.getToken({ scope: "api://other/.default" });
    assert.equal(binding.credential, renewed);
    assert.equal(entra.counts(), "3+0+0+0");
    await entra.clock.advance(lifetime);
    const after = await client.getToken({ scope: "api://third/.default" });
    assert.equal(after.binding.credential, old, "better than one that has expired");
  });

  it("of many requests has its function asked again once", async () => {
    const entra = fakeEntra();
    const [old, renewed] = [await newCredential(), await newCredential()];
    const refusals: CredentialRequest[] = [];
    const client = await entra.client({
      credential: (request) => {
        if (request.refused === undefined) return old;
        refusals.push(request);
        return renewed;
      },
    });
    entra.always(
      "mtls",
      (sent, regular) => sent.thumbprint === old.thumbprint ? rejected()(sent, regular) : regular(),
    );
    const asked = Array.from({ length: 20 }, (_, i) => client.getToken({ scope: `api://${i}/x` }));
    const tokens = await Promise.all(asked);
    assert.ok(tokens.every(({ binding }) => binding.credential === renewed));
    assert.equal(refusals.length, 1);
    assert.equal(entra.counts(), "40+0+0+0");
  });

  it("of a request that comes back late goes on with what another request found", async () => {
    const entra = fakeEntra();
    const [old, renewed] = [await newCredential(), await newCredential()];
    const { client, asked } = await rotating(entra, old, old, renewed);
    const late = held();
    entra.script("mtls", async (sent, regular) => {
      await late.promise;
      return await rejected()(sent, regular);
    }, rejected());
    const first = client.getToken({ scope: SCOPE });
    await until(() => entra.sent.length === 1);
    await client.getToken({ scope: "api://other/.default" });
    late.release();
    assert.equal((await first).binding.credential, renewed);
    assert.equal(asked.filter(({ refused }) => refused !== undefined).length, 1);
  });

  it("of requests for two tenants gets each of them an assertion of its own", async () => {
    const entra = fakeEntra();
    const [old, renewed] = [await newCredential(), await newCredential()];
    let current = old;
    const client = await entra.client({
      credential: {
        assertion: ({ refused, tenantId }) => {
          if (refused !== undefined) current = renewed;
          return { assertion: `for-${tenantId}`, credential: current };
        },
      },
    });
    entra.script("mtls", rejected(), rejected());
    const tenants = ["one.example", "two.example"];
    await Promise.all(tenants.map((tenantId) => client.getToken({ scope: SCOPE, tenantId })));
    assert.equal(entra.sent.length, 4);
    for (const { url, form } of entra.sent) {
      assert.equal(new URL(url).pathname.split("/")[1], form["client_assertion"]!.slice(4));
    }
  });

  it("whose key doesn't sign any more has a cool-down of its own", async () => {
    const entra = fakeEntra();
    const { client, asked } = await rotating(entra, await newCredential());
    const unusable = () => {
      throw new KeyboundError("key_unusable", "The key is gone.");
    };
    entra.script("mtls", rejected(), unusable, unusable);
    for (const code of ["tls_credential_rejected", "key_unusable", "key_unusable"]) {
      await assert.rejects(client.getToken({ scope: SCOPE }), { code });
    }
    const causes = asked.map(({ cause }) => cause).filter((cause) => cause !== undefined);
    assert.deepEqual(causes, ["credential_rejected", "key_dead"]);
  });

  const innocent: [name: string, script: EntraScript, code: string][] = [
    ["a throttled request", status(429), "request_throttled"],
    ["another OAuth error", status(400, { error: "invalid_scope" }), "invalid_scope"],
    [
      "a server that isn't trusted",
      wire({ signals: [{ code: "CERT_HAS_EXPIRED" }], stage: "tcp" }),
      "tls_server_untrusted",
    ],
    [
      "an unreachable server",
      wire({ signals: [{ code: "ECONNREFUSED" }], stage: "start" }),
      "network_unreachable",
    ],
    [
      "an answer that broke off",
      wire({ responseStarted: true, stage: "headers" }),
      "connection_reset",
    ],
  ];
  for (const [name, script, code] of innocent) {
    it(`isn't what ${name} speaks of`, async () => {
      const entra = fakeEntra();
      const { client, asked } = await rotating(entra, await newCredential(), await newCredential());
      entra.script("mtls", script);
      await assert.rejects(client.getToken({ scope: SCOPE }), { code });
      assert.equal(asked.length, 1);
    });
  }

  for (const code of [70021, 700211, 700212, 700213]) {
    it(`isn't what AADSTS${code} speaks of: the trust isn't set up`, async () => {
      const entra = fakeEntra();
      const { client, asked } = await rotating(entra, await newCredential(), await newCredential());
      entra.script("mtls", status(401, { error: "invalid_client", error_codes: [code] }));
      await assert.rejects(client.getToken({ scope: SCOPE }), { code: "invalid_client" });
      assert.equal(asked.length, 1);
    });
  }
});
