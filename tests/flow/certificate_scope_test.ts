/**
 * Whose certificate is used for whom (protocol.md sections 3.1 and 10.1).
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { webcryptoKeys } from "../../backends/webcrypto/mod.ts";
import { claimingStrength, CLIENT_ID, fakeAzure, status, VAULT } from "../support/fake_azure.ts";

const RESOURCE_ID =
  "/subscriptions/s/resourcegroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/u";

describe("a certificate", () => {
  it("is of one identity: another one of the host has its own", async () => {
    const azure = await fakeAzure();
    const [system, user] = [azure.identity(), azure.identity({ clientId: CLIENT_ID })];
    const ofSystem = await system.getToken({ resource: VAULT });
    assert.equal(azure.counts(), "1+1+1+0");
    const ofUser = await user.getToken({ resource: VAULT });
    assert.equal(azure.counts(), "2+2+2+0");
    assert.notEqual(
      ofSystem.binding.credential.thumbprint,
      ofUser.binding.credential.thumbprint,
    );
    assert.notEqual(ofSystem.accessToken, ofUser.accessToken);

    for (const [identity, first] of [[system, ofSystem], [user, ofUser]] as const) {
      const again = await identity.getToken({ resource: VAULT });
      assert.equal(again.accessToken, first.accessToken);
      assert.equal(again.binding, first.binding);
    }
    assert.equal(azure.counts(), "2+2+2+0");

    const refreshed = await system.getToken({ resource: VAULT, forceRefresh: true });
    assert.equal(azure.counts(), "2+2+3+0");
    assert.equal(refreshed.binding, ofSystem.binding);
    assert.equal(azure.sent.at(-1)!.thumbprint, ofSystem.binding.credential.thumbprint);
  });

  it("is of one name of the identity: by client id, object id and resource id, one each", async () => {
    const azure = await fakeAzure();
    const identities = [
      azure.identity({ clientId: CLIENT_ID }),
      azure.identity({ objectId: "593b2662-5af7-4a90-a9cb-5a9de615b82f" }),
      azure.identity({ resourceId: RESOURCE_ID }),
    ];
    const thumbprints = new Set<string>();
    for (const identity of identities) {
      const { binding } = await identity.getToken({ resource: VAULT });
      thumbprints.add(binding.credential.thumbprint);
    }
    assert.equal(azure.counts(), "3+3+3+0");
    assert.equal(thumbprints.size, 3);
    for (const identity of identities) {
      const { binding, fromCache } = await identity.getToken({ resource: VAULT });
      assert.equal(fromCache, true);
      assert.ok(thumbprints.has(binding.credential.thumbprint));
    }
    assert.equal(azure.counts(), "3+3+3+0");
  });

  it("that is attested isn't used for a request that isn't, and stays where it is", async () => {
    const azure = await fakeAzure({ keys: claimingStrength(webcryptoKeys(), "keyguard") });
    const identity = azure.identity({
      attestor: { name: "test", attest: () => Promise.resolve("a.b.c") },
    });
    const attested = await identity.getToken({ resource: VAULT, attest: true });
    azure.always(
      "issuecredential",
      status(400, {
        error: "invalid_request",
        error_description: "Attestation Token is missing / empty in the issue credential request",
      }),
    );
    for (const forceRefresh of [true, false]) {
      await assert.rejects(identity.getToken({ resource: VAULT, forceRefresh }), {
        code: "managed_identity_request_failed",
        status: 400,
        message: /Attestation Token is missing/,
      });
    }
    assert.equal(azure.counts(), "3+3+1+0");
    const stored = await azure.store.list("system_assigned_managed_identity#att=1");
    assert.deepEqual(
      stored.map(({ certificate }) => certificate),
      [attested.binding.credential.leaf.der],
    );
    const again = await identity.getToken({ resource: VAULT, attest: true });
    assert.equal(again.accessToken, attested.accessToken);
  });
});
