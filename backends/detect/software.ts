/**
 * Software keys: what every host has.
 *
 * @module
 */

import { pathExists } from "../host/files.ts";
import { webcryptoKeys } from "../webcrypto/mod.ts";
import type { KeyBackends } from "./key_backends.ts";

/** Keys by WebCrypto, in this directory (absolute path) or in memory. */
export async function softwareBackends(directory: string | undefined): Promise<KeyBackends> {
  const storage = directory === undefined
    ? undefined
    : (await import("../files/mod.ts")).fileKeyStorage({ directory });
  const where = storage === undefined ? "in memory" : "in files of the directory given";
  const tpm = await pathExists("/dev/tpmrm0")
    ? " This host has a TPM: KEYBOUND_PKCS11_URI can name a token on it."
    : "";
  return {
    keys: webcryptoKeys(storage === undefined ? {} : { storage }),
    transports: [],
    reasons: [
      `Software keys by WebCrypto, ${where}: no token is configured.${tpm}`,
      "TLS by the runtime's own stack, which takes software keys.",
    ],
    close: () => Promise.resolve(),
  };
}
