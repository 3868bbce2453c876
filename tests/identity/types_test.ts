/**
 * What the compiler knows of a token by what was asked for. The checks of types fail when this file
 * is compiled, not when it runs.
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ManagedIdentity, TokenOptions } from "../../src/managed_identity_options.ts";
import type { BearerToken, BindingWish, BoundToken, TokenResult } from "../../src/token/result.ts";
import { VAULT } from "../support/fake_azure.ts";
import { BEARER, bearerHost, ENVIRONMENTS } from "./support/bearer_host.ts";

/** Whether two types are the same one. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true
  : false;

/** Takes the type `true` only. */
function sameType<Check extends true>(check: Check): void {
  assert.equal(check, true);
}

/** Never run. */
async function wishes(identity: ManagedIdentity, wish: BindingWish): Promise<void> {
  const resource = VAULT;
  const plain = await identity.getToken({ resource });
  sameType<Same<typeof plain, BoundToken>>(true);
  const bound = await identity.getToken({ resource, binding: "mtls_pop" });
  sameType<Same<typeof bound, BoundToken>>(true);
  const bearer = await identity.getToken({ resource, binding: "bearer" });
  sameType<Same<typeof bearer, BearerToken>>(true);
  const preferred = await identity.getToken({ resource, binding: "preferred" });
  sameType<Same<typeof preferred, BoundToken | BearerToken>>(true);
  const any = await identity.getToken({ resource, binding: wish });
  sameType<Same<typeof any, BoundToken | BearerToken>>(true);
  const prepared: TokenOptions = { resource, binding: wish };
  const either = await identity.getToken(prepared);
  sameType<Same<typeof either, BoundToken | BearerToken>>(true);

  if (preferred.tokenType === "mtls_pop") sameType<Same<typeof preferred, BoundToken>>(true);
  else sameType<Same<typeof preferred, BearerToken>>(true);
  if (preferred.binding === undefined) sameType<Same<typeof preferred, BearerToken>>(true);
  else sameType<Same<typeof preferred, BoundToken>>(true);

  // @ts-expect-error: a bearer token has no binding to present.
  bearer.binding.credential;
  // @ts-expect-error: perhaps there is none.
  preferred.binding.credential;
  // @ts-expect-error: no such wish.
  await identity.getToken({ resource, binding: "bound" });
  // @ts-expect-error: a token is read only.
  bearer.accessToken = "";
}

describe("the type of a token", () => {
  it("follows what was asked for, and so does the token", async () => {
    sameType<Same<TokenResult, BoundToken>>(true);
    sameType<Same<TokenResult<"preferred">, BoundToken | BearerToken>>(true);
    assert.equal(typeof wishes, "function");
    const identity = (await bearerHost(ENVIRONMENTS.Imds)).identity();
    const bound: BoundToken = await identity.getToken({ resource: VAULT });
    const bearer: BearerToken = await identity.getToken(BEARER);
    assert.deepEqual([bound.tokenType, bearer.tokenType], ["mtls_pop", "Bearer"]);
    assert.ok(bound.binding.credential.thumbprint.length > 0);
    assert.equal("binding" in bearer, false);
  });
});
