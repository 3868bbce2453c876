/**
 * What a credential asks the identity for, and what it tells the SDK.
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { TokenCredential } from "@azure/core-auth";
import { type BindingWish, KeyboundError } from "../../../mod.ts";
import {
  type AzureIdentity,
  type AzureTokenOptions,
  tokenCredential,
  type TokenCredentialOptions,
} from "../../../plugins/azure/mod.ts";

const SCOPE = "https://vault.azure.net/.default";

function credentialOf(options?: TokenCredentialOptions): [TokenCredential, AzureTokenOptions[]] {
  const asked: AzureTokenOptions[] = [];
  const identity: AzureIdentity<BindingWish> = {
    getToken(options) {
      asked.push(options);
      return Promise.resolve({
        accessToken: "header.secret.signature",
        tokenType: options.binding === "bearer" ? "Bearer" : "mtls_pop",
        expiresOn: 2_000,
        refreshOn: 1_000,
      });
    },
    fetch: () => Promise.reject(new Error("not here")),
  };
  return [tokenCredential(identity, options), asked];
}

describe("a token credential", () => {
  it("refuses no scope and several", async () => {
    const [credential, asked] = credentialOf();
    for (const scopes of [[], [""], "", [SCOPE, "https://storage.azure.com/.default"]]) {
      await assert.rejects(credential.getToken(scopes), { code: "invalid_argument" });
    }
    assert.deepEqual(asked, []);
  });

  it("passes on what the identity rejects with", async () => {
    const failure = new KeyboundError("min_strength_not_met", "Too weak.");
    const credential = tokenCredential({
      getToken: () => Promise.reject(failure),
      fetch: () => Promise.reject(failure),
    });
    await assert.rejects(credential.getToken(SCOPE), (error) => error === failure);
  });

  it("rejects with an AbortError when it is called off or the time is up", async () => {
    const credential = tokenCredential({
      getToken: ({ signal }) =>
        new Promise((_resolve, reject) => {
          signal!.addEventListener("abort", () => reject(signal!.reason));
          if (signal!.aborted) reject(signal!.reason);
        }),
      fetch: () => Promise.reject(new Error("not here")),
    });
    const reasons = [undefined, new Error("enough")];
    for (const reason of reasons) {
      const abortSignal = AbortSignal.abort(reason);
      await assert.rejects(credential.getToken(SCOPE, { abortSignal }), { name: "AbortError" });
    }
    const requestOptions = { timeout: 1 };
    await assert.rejects(credential.getToken(SCOPE, { requestOptions }), { name: "AbortError" });
  });

  it("gives the SDK a reference in place of a bound token", async () => {
    for (const binding of ["mtls_pop", "preferred"] as const) {
      const [credential] = credentialOf({ binding });
      const { token, expiresOnTimestamp, refreshAfterTimestamp } =
        (await credential.getToken(SCOPE))!;
      assert.match(token, /^keybound-reference-not-a-token\.[\w-]+$/);
      assert.ok(!token.includes("secret"));
      assert.deepEqual([expiresOnTimestamp, refreshAfterTimestamp], [2_000, 1_000]);
    }
  });

  it("gives the token itself where bearer tokens are asked for", async () => {
    const [credential, asked] = credentialOf({ binding: "bearer" });
    const { token } = (await credential.getToken([SCOPE], { enableCae: true }))!;
    assert.equal(token, "header.secret.signature");
    assert.equal(asked[0]!.binding, "bearer");
    assert.equal(asked[0]!.clientClaims, undefined);
  });

  it("turns a scope into its resource", async () => {
    const [credential, asked] = credentialOf();
    await credential.getToken(SCOPE);
    await credential.getToken("api://app");
    assert.deepEqual(asked.map(({ resource }) => resource), [
      "https://vault.azure.net",
      "api://app",
    ]);
  });

  it("passes claims on, and cp1 where claims challenges are understood", async () => {
    const [credential, asked] = credentialOf();
    await credential.getToken(SCOPE);
    await credential.getToken(SCOPE, { enableCae: true, claims: '{"a":1}' });
    assert.deepEqual(asked.map(({ claims, clientClaims }) => [claims, clientClaims]), [
      [undefined, undefined],
      ['{"a":1}', '{"access_token":{"xms_cc":{"values":["cp1"]}}}'],
    ]);
  });

  it("signs in to another tenant only if that was allowed", async () => {
    const rows: [allowed: string[], tenant: string | undefined][] = [
      [[], undefined],
      [["another"], undefined],
      [["TENANT"], "tenant"],
      [["*"], "tenant"],
    ];
    for (const [additionallyAllowedTenants, expected] of rows) {
      const [credential, asked] = credentialOf({ additionallyAllowedTenants });
      await credential.getToken(SCOPE, { tenantId: "tenant" });
      assert.equal(asked[0]!.tenantId, expected);
    }
  });
});
