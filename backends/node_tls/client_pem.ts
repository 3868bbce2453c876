/**
 * A client credential as text for the TLS stack, checked before it gets there.
 *
 * @module
 */

import { createPrivateKey, createPublicKey } from "node:crypto";
import type { ClientCredential } from "../../src/credential.ts";
import { equalBytes } from "../../src/encoding.ts";
import { isKeyboundError, KeyboundError } from "../../src/errors.ts";
import { isPemExportable } from "../../src/keys.ts";
import { encodePem } from "../../src/x509/pem.ts";

/** Certificate chain and private key, both PEM. */
export interface ClientPem {
  readonly cert: string;
  readonly key: string;
}

/**
 * The credential as PEM. The pair is checked here because the TLS stacks don't agree on what to do
 * with a key that doesn't fit: Deno goes on without a certificate and says nothing.
 *
 * Rejects with `transport_not_available` for a key that can't be exported, `key_unusable` where
 * the export fails or gives no private key, `certificate_key_mismatch` where it gives another one.
 */
export async function clientPem(credential: ClientCredential): Promise<ClientPem> {
  const { key, chain, leaf } = credential;
  if (!isPemExportable(key)) {
    throw new KeyboundError(
      "transport_not_available",
      `Key '${key.id}' can't be handed to the runtime's TLS stack. Use the transport of its backend.`,
    );
  }
  const pem = await exportedPem(key.id, () => key.exportPem());
  if (!equalBytes(publicKeyOf(key.id, pem), leaf.spki)) {
    throw new KeyboundError(
      "certificate_key_mismatch",
      `Key '${key.id}' exports another private key than the certificate was issued for.`,
    );
  }
  return { cert: chain.map((der) => encodePem("CERTIFICATE", der)).join(""), key: pem };
}

async function exportedPem(id: string, exportPem: () => Promise<string>): Promise<string> {
  try {
    return await exportPem();
  } catch (cause) {
    if (isKeyboundError(cause)) throw cause;
    throw unusable(id, "could not be exported", cause);
  }
}

function publicKeyOf(id: string, pem: string): Uint8Array {
  try {
    return createPublicKey(createPrivateKey(pem)).export({ type: "spki", format: "der" });
  } catch (cause) {
    throw unusable(id, "was exported as something that isn't a private key in PEM", cause);
  }
}

function unusable(id: string, reason: string, cause: unknown): KeyboundError {
  return new KeyboundError(
    "key_unusable",
    `Key '${id}' ${reason}. Open it again or create a new one.`,
    { cause },
  );
}
