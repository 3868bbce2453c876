/**
 * TLS versions in SChannel's bits (`schannel.h`, `SP_PROT_...`), and which of them a key is good for.
 *
 * @module
 */

import { KeyboundError } from "../../src/errors.ts";
import type { SignatureScheme } from "../../src/keys.ts";
import type { TlsVersion } from "../../src/transports.ts";
import type { VersionRange } from "../http/connections.ts";

/** `SP_PROT_TLS1_2_CLIENT` and `SP_PROT_TLS1_3_CLIENT`. */
const CLIENT_BITS: Readonly<Record<TlsVersion, number>> = { "TLSv1.2": 0x800, "TLSv1.3": 0x2000 };

const VERSIONS: readonly TlsVersion[] = ["TLSv1.2", "TLSv1.3"];

/** The bits of the versions in this range. */
export function enabledProtocols(range: VersionRange): number {
  return VERSIONS
    .filter((version) => range.minVersion <= version && version <= range.maxVersion)
    .reduce((bits, version) => bits | CLIENT_BITS[version], 0);
}

/** All bits but these, as a `DWORD`: what `TLS_PARAMETERS` disables. */
export function disabledProtocols(enabled: number): number {
  return ~enabled >>> 0;
}

/**
 * The versions in which the key's signatures can be used: one that signs by PKCS#1 alone, as a key
 * of CAPI does, can't be used under TLS 1.3 (RFC 8446 section 4.2.3). Throws `unsupported_scheme`
 * where none is left.
 */
export function usableVersions(
  schemes: readonly SignatureScheme[],
  { minVersion, maxVersion }: VersionRange,
): VersionRange {
  if (schemes.some((scheme) => !scheme.startsWith("rsa_pkcs1_"))) return { minVersion, maxVersion };
  if (minVersion === "TLSv1.2") return { minVersion, maxVersion: "TLSv1.2" };
  throw new KeyboundError(
    "unsupported_scheme",
    "The key signs by PKCS#1 alone, which TLS 1.3 doesn't take. Allow TLS 1.2.",
  );
}
