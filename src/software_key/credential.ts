/**
 * A credential from the private key's own bytes: what PEM and PKCS#12 files hold.
 *
 * @module
 */

import { ClientCredential } from "../credential.ts";
import type { Bytes } from "../encoding.ts";
import { KeyboundError } from "../errors.ts";
import { orderChain } from "./chain.ts";
import { SoftwareKey } from "./key.ts";
import { type KeyMaterial, readKeyMaterial } from "./material.ts";

/**
 * The credential of this private key (DER PKCS#8) and the certificate over it, which may stand
 * anywhere among these. The key is of strength `software`, and `id` is its name in messages.
 *
 * Rejects with `invalid_credential_material` for a key that isn't RSA from 2048 bits on or P-256, and
 * as `orderChain` throws.
 */
export async function softwareCredential(
  pkcs8: Bytes,
  certificates: readonly Bytes[],
  id: string,
  crypto: Crypto,
): Promise<ClientCredential> {
  let material: KeyMaterial;
  try {
    material = await readKeyMaterial(pkcs8, crypto);
  } catch (cause) {
    throw new KeyboundError(
      "invalid_credential_material",
      "The private key is none of RSA from 2048 bits on or P-256. Use another key and certificate.",
      { cause },
    );
  }
  const key = new SoftwareKey({ id, ...material, crypto });
  return await ClientCredential.create(orderChain(certificates, key.spki), key, crypto);
}
