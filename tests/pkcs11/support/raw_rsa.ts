/**
 * RSA without padding, in big integers: an implementation that shares nothing with ours.
 *
 * @module
 */

import { type Bytes, concat, fromBase64url, hex } from "../../../src/encoding.ts";
import { publicKeyAlgorithm } from "../../../src/x509/public_key.ts";

/** An RSA key that signs what it is given, as a token may. */
export interface RawRsa {
  /** DER SubjectPublicKeyInfo. */
  readonly spki: Bytes;
  /** Not all runtimes make moduli of any length that is asked for. */
  readonly modulusBits: number;
  /** The private operation on a number, done without any padding. */
  readonly raw: (encoded: Bytes) => Bytes;
}

/** A new key. */
export async function rawRsa(modulusLength: number): Promise<RawRsa> {
  const { privateKey, publicKey } = await crypto.subtle.generateKey(
    { name: "RSA-PSS", hash: "SHA-256", modulusLength, publicExponent: Uint8Array.of(1, 0, 1) },
    true,
    ["sign", "verify"],
  );
  const spki = new Uint8Array(await crypto.subtle.exportKey("spki", publicKey));
  const { n, d } = await crypto.subtle.exportKey("jwk", privateKey);
  const algorithm = publicKeyAlgorithm(spki);
  const modulusBits = algorithm.type === "rsa" ? algorithm.modulusBits : 0;
  const [modulus, exponent] = [number(fromBase64url(n!)), number(fromBase64url(d!))];
  const raw = (encoded: Bytes) => {
    let result = 1n;
    let base = number(encoded);
    for (let rest = exponent; rest > 0n; rest >>= 1n) {
      if ((rest & 1n) === 1n) result = result * base % modulus;
      base = base * base % modulus;
    }
    const digits = result.toString(16).padStart(2 * Math.ceil(modulusBits / 8), "0");
    return Uint8Array.from(digits.match(/../g)!, (digit) => parseInt(digit, 16));
  };
  return { spki, modulusBits, raw };
}

function number(bytes: Uint8Array): bigint {
  return BigInt(`0x${hex(bytes)}`);
}

/** EMSA-PKCS1-v1_5 around a DER `DigestInfo` (RFC 8017 section 9.2). */
export function padPkcs1(info: Bytes, length: number): Bytes {
  const filling = new Uint8Array(length - info.length - 3).fill(0xff);
  return concat(Uint8Array.of(0, 1), filling, Uint8Array.of(0), info);
}
