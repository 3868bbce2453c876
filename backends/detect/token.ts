/**
 * Keys in a PKCS#11 token: an HSM, a TPM or a smart card.
 *
 * @module
 */

import type { Environment } from "../../src/sources/source.ts";
import { pathExists } from "../host/files.ts";
import type { Pkcs11Options } from "../pkcs11/mod.ts";
import type { KeyBackends } from "./key_backends.ts";

/** What tells of a token. */
export interface TokenHints {
  /** The token, named by the program. */
  readonly pkcs11?: Pkcs11Options;
  /** PEM of the CAs that servers are verified against. */
  readonly ca?: string;
  readonly environment: Environment;
}

/** Keys in a token, where one is configured. Loads what that takes. */
export async function tokenBackends(
  { pkcs11, ca, environment }: TokenHints,
): Promise<KeyBackends | undefined> {
  if (pkcs11 === undefined && (environment.KEYBOUND_PKCS11_URI ?? "") === "") return undefined;
  const { findPkcs11, pkcs11Keys } = await import("../pkcs11/mod.ts");
  const found = pkcs11 === undefined ? await findPkcs11(environment, pathExists) : undefined;
  const chosen = found ?? pkcs11;
  if (chosen === undefined) return undefined;
  const keys = pkcs11Keys(chosen);
  const { findOpenssl, opensslTransport } = await import("../openssl/mod.ts");
  const openssl = await findOpenssl({ environment });
  return {
    keys,
    transports: [opensslTransport({ environment, ...(ca === undefined ? {} : { ca }) })],
    reasons: [
      found?.reason ?? "Keys in the token given.",
      `TLS with keys that can't leave the token by ${openssl.version} (${openssl.ssl}).`,
    ],
    close: () => keys.close(),
  };
}
