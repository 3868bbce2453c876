/**
 * What a signature scheme means to `NCryptSignHash`.
 *
 * @module
 */

import type { Bytes } from "../../src/encoding.ts";
import type { SignatureScheme } from "../../src/keys.ts";
import { layout, type Platform } from "../ffi/mod.ts";
import { NCRYPT } from "./constants.ts";
import { wide } from "../ffi/wide_text.ts";

/** How `NCryptSignHash` is called for a scheme. */
export interface HashSigning {
  /** Name of the digest in node:crypto. */
  readonly digest: "sha256" | "sha384" | "sha512";
  /** `pPaddingInfo`, to be kept alive for the call; `null` for ECDSA. */
  readonly padding: Bytes | null;
  /** `dwFlags`. */
  readonly flags: number;
}

/**
 * The call for `scheme`: a `BCRYPT_PSS_PADDING_INFO` with a salt as long as the digest, a
 * `BCRYPT_PKCS1_PADDING_INFO`, or nothing for ECDSA. The digest's name follows the struct that
 * points to it; `at` tells where the bytes it is given lie.
 */
export function hashSigning(
  scheme: SignatureScheme,
  platform: Platform,
  at: (bytes: Uint8Array) => bigint,
): HashSigning {
  const bits = scheme.slice(-3) as "256" | "384" | "512";
  const digest = `sha${bits}` as const;
  if (scheme.startsWith("ecdsa")) return { digest, padding: null, flags: NCRYPT.SILENT };
  const name = wide(`SHA${bits}`);
  const isPss = scheme.startsWith("rsa_pss");
  const pss = layout({ algorithm: "address", salt: "u32" }, platform);
  const { size } = isPss ? pss : layout({ algorithm: "address" }, platform);
  const padding = new Uint8Array(size + name.length);
  padding.set(name, size);
  const algorithm = at(padding) + BigInt(size);
  const salt = Number(bits) / 8;
  padding.set(pss.encode({ algorithm, salt }).subarray(0, size));
  const mode = isPss ? NCRYPT.PAD_PSS : NCRYPT.PAD_PKCS1;
  return { digest, padding, flags: mode | NCRYPT.SILENT };
}
