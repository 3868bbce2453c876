/**
 * What becomes of a binding that the second leg has no luck with.
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { federate } from "../../src/entra/federation.ts";
import { fakeAzure, status as azureStatus } from "../support/fake_azure.ts";
import { fakeEntra, newCredential, rejected, SCOPE, status, wire } from "./support/fake_entra.ts";
import { fromIdentity, second } from "./support/two_legs.ts";

const OTHER_CLIENT = "0f1e2d3c-4b5a-4978-8695-a4b3c2d1e0f9";

describe("a binding that the second leg's server refuses", () => {
  for (const [name, script] of [["an alert", rejected()], ["a reset", wire()]] as const) {
    it(`by ${name} is replaced by its identity, and both legs are repeated once`, async () => {
      const { azure, entra, client } = await fromIdentity();
      entra.script("mtls", script);
      const { binding } = await client.getToken({ scope: SCOPE });
      assert.equal(azure.counts(), "2+2+2+0");
      assert.equal(entra.counts(), "2+0+0+0");
      const [old, renewed] = entra.sent.map(({ thumbprint }) => thumbprint);
      assert.notEqual(old, renewed);
      assert.equal(binding.credential.thumbprint, renewed);
      assert.ok(azure.retired.includes(old!));
    });
  }

  it("by invalid_client is replaced, unless the trust isn't set up", async () => {
    const { azure, entra, client } = await fromIdentity();
    entra.script("mtls", status(401, { error: "invalid_client", error_codes: [700213] }));
    await assert.rejects(client.getToken({ scope: SCOPE }), { code: "invalid_client" });
    assert.equal(azure.counts(), "1+1+1+0");
    entra.script("mtls", status(401, { error: "invalid_client", error_codes: [1000610] }));
    await client.getToken({ scope: SCOPE });
    assert.equal(azure.counts(), "2+2+2+0");
  });

  it("costs one mint a minute, however often it is refused and by how many clients", async () => {
    const { azure, entra, identity, client, advance } = await fromIdentity();
    const clients = [client, federate(identity, second(entra)), federate(identity, second(entra))];
    entra.always("mtls", rejected());
    const attack = async () => {
      for (let i = 0; i < 5; i++) {
        const asked = clients.map((each) => each.getToken({ scope: `api://${i}/x` }));
        for (const { status } of await Promise.allSettled(asked)) assert.equal(status, "rejected");
      }
    };
    await attack();
    assert.equal(azure.sent.filter(({ endpoint }) => endpoint === "issuecredential").length, 2);
    await advance(60_000);
    await attack();
    assert.equal(azure.sent.filter(({ endpoint }) => endpoint === "issuecredential").length, 3);
  });

  it("surfaces with what the server said once the new one is refused as well", async () => {
    const { azure, entra, client } = await fromIdentity();
    entra.always("mtls", rejected());
    await assert.rejects(client.getToken({ scope: SCOPE }), { code: "tls_credential_rejected" });
    assert.equal(entra.counts(), "2+0+0+0");
    assert.equal(azure.counts(), "2+2+2+0");
  });

  it("is asked about at its own server where the identity can't be told", async () => {
    const azure = await fakeAzure();
    const entra = fakeEntra();
    const { getToken, fetch, capabilities, close } = azure.identity();
    const client = federate({ getToken, fetch, capabilities, close }, second(entra));
    await client.getToken({ scope: SCOPE });
    entra.script("mtls", rejected());
    azure.script("token", azureStatus(401, { error: "invalid_client" }));
    const { binding } = await client.getToken({ scope: SCOPE, forceRefresh: true });
    assert.equal(azure.counts(), "2+2+3+0");
    assert.notEqual(binding.credential.thumbprint, entra.sent[0]!.thumbprint);
  });

  it("is replaced by the function of the application that vouches", async () => {
    const entra = fakeEntra();
    const [old, renewed] = [await newCredential(), await newCredential()];
    let own = old;
    const first = await entra.client({ credential: () => own, clientId: OTHER_CLIENT });
    const client = federate(first, second(entra));
    await client.getToken({ scope: SCOPE });
    own = renewed;
    entra.script("mtls", rejected());
    const { binding } = await client.getToken({ scope: "api://other/.default" });
    assert.equal(binding.credential, renewed);
  });

  it("of a dead key is replaced when a resource is asked", async () => {
    const { azure, entra, client } = await fromIdentity();
    const before = await client.getToken({ scope: SCOPE });
    await azure.keys.remove("keybound");
    entra.script("resource", wire());
    const response = await client.fetch("https://v.example/", { scope: SCOPE });
    const { thumbprint } = await response.json();
    assert.notEqual(thumbprint, before.binding.credential.thumbprint);
    assert.equal(azure.counts(), "2+2+2+0");
    assert.equal(entra.counts(), "2+0+0+2");
  });
});
