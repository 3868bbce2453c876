/**
 * The real thing, on an Azure VM with a managed identity: a bound token over a throw-away key. What
 * was issued is kept in memory alone.
 *
 * @module
 */

import { detect } from "../../../backends/detect.ts";
import { memoryStore } from "../../../backends/memory/mod.ts";
import { type ManagedIdentity, managedIdentity } from "../../../mod.ts";
import { fromBase64url, fromUtf8 } from "../../../src/encoding.ts";
import type { Host } from "./host.ts";
import { expect } from "./verification.ts";

/** The checks, for this resource. */
export async function verifyAzure({ verification, run }: Host, resource: string): Promise<void> {
  const host = await detect({ windows: true });
  const keyId = `verify ${run} Azure`;
  const start = () => managedIdentity({ ...host, keyId, store: memoryStore() });
  const identity = start();
  try {
    await verification.check("what the host can", async () => {
      const { source, boundTokens, reason } = await identity.capabilities();
      return [source, boundTokens ? "can bind tokens" : "can't", reason].filter(Boolean).join("; ");
    });
    const isBound = await verification.check(
      "a bound token from nothing",
      () => boundToken(identity, { resource }),
    );
    if (!isBound) return;
    await verification.check("again, from the cache", () => boundToken(identity, { resource }));
    await verification.check(
      "a new token over the same certificate",
      () => boundToken(identity, { resource, forceRefresh: true }),
    );
    await verification.check("heals when the key was removed", async () => {
      await host.keys.remove(keyId);
      const restarted = start();
      try {
        return await boundToken(restarted, { resource });
      } finally {
        await restarted.close();
      }
    });
    await verification.check("a bound token over an attested key", async () => {
      return await boundToken(identity, { resource, attest: true, minStrength: "keyguard" });
    });
  } finally {
    await identity.close();
    await host.keys.remove(keyId).catch(() => {});
    await host.close();
  }
}

/** Facts about a token, and nothing of the token. */
async function boundToken(
  identity: ManagedIdentity,
  request: Parameters<ManagedIdentity["getToken"]>[0],
): Promise<string> {
  const { accessToken, tokenType, binding, expiresOn } = await identity.getToken(request);
  expect(binding !== undefined, `A ${tokenType} token without a binding.`);
  const { key, thumbprint } = binding.credential;
  const claims = JSON.parse(fromUtf8(fromBase64url(accessToken.split(".")[1] ?? "")));
  expect(claims.cnf?.["x5t#S256"] === thumbprint, "The token doesn't name the certificate.");
  const minutes = Math.round((expiresOn - Date.now()) / 60_000);
  return `${tokenType}, ${key.strength} key, names its certificate, ${minutes} min left`;
}
