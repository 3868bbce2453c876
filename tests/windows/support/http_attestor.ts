/**
 * An attestor that asks the emulator's attestation service, which wants no evidence.
 *
 * @module
 */

import type { Attestor } from "../../../src/attestation.ts";
import { base64 } from "../../../src/encoding.ts";

/** An attestor over HTTP: `POST {endpoint}/attest/keyguard`. */
export function httpAttestor(fetch: typeof globalThis.fetch = globalThis.fetch): Attestor {
  return {
    name: "emulator",
    async attest({ endpoint, key, clientId, signal }) {
      const answer = await fetch(new URL("attest/keyguard", endpoint), {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ spki: base64(key.spki), client_id: clientId }),
        redirect: "error",
        signal: signal ?? null,
      });
      const body: unknown = await answer.json();
      return answer.status === 200 ? (body as { token?: string }).token : undefined;
    },
  };
}
