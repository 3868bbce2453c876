/**
 * Two legs: a token of one identity as another's assertion.
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { decodeJwt } from "jose";
import { confidentialClient } from "../../src/entra/confidential_client.ts";
import { federate } from "../../src/entra/federation.ts";
import type { EntraBindingWish } from "../../src/entra/options.ts";
import type { ManagedIdentity } from "../../src/managed_identity_options.ts";
import { DAY, fakeAzure, status as azureStatus } from "../support/fake_azure.ts";
import {
  assertionBoundTo,
  CLIENT_ID,
  fakeEntra,
  JWT_POP,
  newCredential,
  rejected,
  SCOPE,
  TENANT,
} from "./support/fake_entra.ts";
import { fromIdentity, second } from "./support/two_legs.ts";

const EXCHANGE = "api://AzureADTokenExchange";

const OTHER_CLIENT = "0f1e2d3c-4b5a-4978-8695-a4b3c2d1e0f9";

describe("a federation isn't made", () => {
  it("with a managed identity as its second leg, by type and at run time", async () => {
    const azure = await fakeAzure();
    const client = await fakeEntra().client();
    for (const first of [azure.identity(), client]) {
      // @ts-expect-error: it takes no assertions.
      const make = () => federate(first, azure.identity());
      assert.throws(make, { code: "invalid_argument" });
    }
  });

  it("with nothing as its first leg", () => {
    const first = undefined as unknown as ManagedIdentity;
    assert.throws(() => federate(first, second(fakeEntra())), { code: "invalid_argument" });
  });

  it("for a tenant or host that can't be, and the first leg isn't even asked", async () => {
    const azure = await fakeAzure();
    const rows = [
      [`https://login.microsoftonline.com/common`, "missing_tenanted_authority"],
      [
        `https://login.usgovcloudapi.net/${TENANT}`,
        "mtls_pop_not_supported_for_environment",
      ],
    ] as const;
    for (const [authority, code] of rows) {
      const client = federate(azure.identity(), second(fakeEntra(), { authority }));
      for (const binding of ["mtls_pop", "bearer"] as EntraBindingWish[]) {
        await assert.rejects(client.getToken({ scope: SCOPE, binding }), { code });
      }
    }
    assert.equal(azure.counts(), "0+0+0+0");
  });
});

describe("two legs", () => {
  for (const wish of ["mtls_pop", "bearer"] as EntraBindingWish[]) {
    it(`from a managed identity to a token that is ${wish}`, async () => {
      const { azure, entra, client, identity } = await fromIdentity();
      const correlationId = crypto.randomUUID();
      const token = await client.getToken({ scope: SCOPE, binding: wish, correlationId });
      assert.equal(azure.counts(), "1+1+1+0");
      const first = azure.sent.at(-1)!;
      assert.equal(new URLSearchParams(first.body).get("scope"), `${EXCHANGE}/.default`);
      const vouching = await identity.getToken({ resource: EXCHANGE });
      const [sent] = entra.sent;
      assert.equal(sent!.url, `https://mtlsauth.microsoft.com/${TENANT}/oauth2/v2.0/token`);
      assert.deepEqual(sent!.form, {
        client_id: CLIENT_ID,
        scope: SCOPE,
        grant_type: "client_credentials",
        client_info: "2",
        client_assertion: vouching.accessToken,
        client_assertion_type: JWT_POP,
        ...(wish === "mtls_pop" ? { token_type: "mtls_pop" } : {}),
      });
      assert.equal(sent!.thumbprint, first.thumbprint, "the same binding on both wires");
      assert.equal(sent!.headers.get("client-request-id"), correlationId);
      assert.equal(first.headers.get("client-request-id"), correlationId);
      assert.equal(token.tokenType, wish === "mtls_pop" ? "mtls_pop" : "Bearer");
      const bound = wish === "mtls_pop" ? vouching.binding.credential : undefined;
      assert.equal(token.binding?.credential, bound);
    });

    it(`from another application to a token that is ${wish}`, async () => {
      const entra = fakeEntra();
      const credential = await newCredential();
      const first = await entra.client({ credential, clientId: OTHER_CLIENT });
      const client = federate(first, second(entra));
      const token = await client.getToken({ scope: SCOPE, binding: wish });
      const vouching = await first.getToken({ resource: EXCHANGE });
      assert.deepEqual(entra.sent.map(({ form }) => form["client_id"]), [OTHER_CLIENT, CLIENT_ID]);
      assert.equal(entra.sent[0]!.form["token_type"], "mtls_pop");
      assert.equal(entra.sent[1]!.form["client_assertion"], vouching.accessToken);
      assert.deepEqual(entra.sent.map(({ thumbprint }) => thumbprint), [
        credential.thumbprint,
        credential.thumbprint,
      ]);
      assert.equal(token.binding?.credential, wish === "mtls_pop" ? credential : undefined);
    });
  }

  it("cost the second one nothing for a token from memory, and the first one little", async () => {
    const { azure, entra, client } = await fromIdentity();
    for (let i = 0; i < 3; i++) await client.getToken({ scope: SCOPE });
    await client.getToken({ scope: "api://other/.default" });
    assert.equal(azure.counts(), "1+1+1+0", "one token of the first leg for both scopes");
    assert.equal(entra.counts(), "2+0+0+0");
  });

  it("go by the audience and the demands that are named", async () => {
    const azure = await fakeAzure();
    const audience = `${EXCHANGE}USGov`;
    const demands = { audience, minStrength: "hardware" } as const;
    const client = federate(azure.identity(), second(fakeEntra()), demands);
    await assert.rejects(client.getToken({ scope: SCOPE }), { code: "min_strength_not_met" });
    const attested = federate(azure.identity(), second(fakeEntra()), { attest: true });
    await assert.rejects(attested.getToken({ scope: SCOPE }), { code: "attestation_failed" });
    assert.equal(azure.counts(), "0+0+0+0");
    await federate(azure.identity(), second(fakeEntra()), { audience }).getToken({ scope: SCOPE });
    const form = new URLSearchParams(azure.sent.at(-1)!.body);
    assert.equal(form.get("scope"), `${audience}/.default`);
  });

  it("fail with what the first one fails with", async () => {
    const { azure, entra, client } = await fromIdentity();
    azure.script("issuecredential", azureStatus(400, { error: "invalid_request" }));
    await assert.rejects(client.getToken({ scope: SCOPE }), {
      code: "managed_identity_request_failed",
    });
    assert.equal(entra.counts(), "0+0+0+0");
  });

  it("move on to the first one's new certificate as a pair", async () => {
    const { azure, entra, client, advance } = await fromIdentity();
    azure.settings.certificateLifetime = 7 * DAY;
    const before = await client.getToken({ scope: SCOPE });
    await advance(5 * DAY);
    // The first token after half of the certificate's life starts the renewal, the next one has it.
    await client.getToken({ scope: SCOPE });
    for (let i = 0; i < 50; i++) await new Promise((resolve) => setTimeout(resolve, 0));
    await advance(1 * DAY);
    const after = await client.getToken({ scope: SCOPE });
    assert.notEqual(after.binding.credential.thumbprint, before.binding.credential.thumbprint);
    for (const { form, thumbprint } of entra.sent) {
      assert.deepEqual(decodeJwt(form["client_assertion"]!)["cnf"], { "x5t#S256": thumbprint });
    }
  });
});

describe("an assertion of one's own", () => {
  it("that should be bound and isn't gets no bearer token either", async () => {
    const entra = fakeEntra();
    const credential = { bound: true, assertion: () => ({ assertion: "a" }) };
    const client = confidentialClient({ ...second(entra), credential });
    for (const binding of ["mtls_pop", "bearer"] as EntraBindingWish[]) {
      await assert.rejects(client.getToken({ scope: SCOPE, binding }), {
        code: "mtls_certificate_not_provided",
      });
    }
    assert.equal(entra.counts(), "0+0+0+0");
  });

  it("comes with its certificate from the same call, both times", async () => {
    const entra = fakeEntra();
    const credentials = [await newCredential(), await newCredential()];
    const client = confidentialClient({
      ...second(entra),
      credential: {
        assertion: ({ refused }) => {
          const credential = credentials[refused === undefined ? 0 : 1]!;
          return { assertion: assertionBoundTo(credential.thumbprint), credential };
        },
      },
    });
    entra.script("mtls", rejected());
    await client.getToken({ scope: SCOPE });
    for (const [i, { form, thumbprint }] of entra.sent.entries()) {
      assert.equal(thumbprint, credentials[i]!.thumbprint);
      assert.deepEqual(decodeJwt(form["client_assertion"]!)["cnf"], { "x5t#S256": thumbprint });
    }
  });
});
