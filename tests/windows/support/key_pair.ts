/**
 * Key pairs that sign digests, as NCryptSignHash does: an implementation that shares nothing with
 * the backend's.
 *
 * @module
 */

import { createECDH, createHash, generateKeyPairSync, randomBytes } from "node:crypto";
import { type Bytes, concat, fromBase64url, hex } from "../../../src/encoding.ts";

/** How a digest is to be padded. */
export type Padding =
  | { readonly type: "none" }
  | { readonly type: "pkcs1"; readonly digest: string }
  | { readonly type: "pss"; readonly digest: string; readonly salt: number };

/** A key pair of CNG. */
export interface SimulatedKeyPair {
  readonly group: "ECDSA" | "RSA";
  /** `BCRYPT_RSAKEY_BLOB` or `BCRYPT_ECCKEY_BLOB`. */
  readonly publicBlob: Bytes;
  /** The signature of a digest. */
  sign(digest: Bytes, padding: Padding): Bytes;
}

/** DER `DigestInfo` up to the digest (RFC 8017 section 9.2). */
const DIGEST_INFO: Readonly<Record<string, string>> = {
  SHA256: "3031300d060960864801650304020105000420",
  SHA384: "3041300d060960864801650304020205000430",
  SHA512: "3051300d060960864801650304020305000440",
};

/** RSA key pairs take long to make: four of a length take turns. */
const rsaPairs = new Map<number, SimulatedKeyPair[]>();

/** An RSA key pair, another one than the last three times. */
export function rsaPair(modulusLength: number): SimulatedKeyPair {
  const pairs = rsaPairs.get(modulusLength) ?? [];
  const pair = pairs.length < 4 ? newRsaPair(modulusLength) : pairs[0]!;
  rsaPairs.set(modulusLength, [...pairs.filter((other) => other !== pair), pair]);
  return pair;
}

function newRsaPair(modulusLength: number): SimulatedKeyPair {
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength });
  const jwk = privateKey.export({ format: "jwk" });
  const [n, e] = [fromBase64url(jwk.n!), fromBase64url(jwk.e!)];
  const [modulus, p, q, dp, dq, qi] = [jwk.n, jwk.p, jwk.q, jwk.dp, jwk.dq, jwk.qi]
    .map((part) => number(fromBase64url(part!))) as [
      bigint,
      bigint,
      bigint,
      bigint,
      bigint,
      bigint,
    ];
  const raw = (encoded: Bytes) => {
    const value = number(encoded) % modulus;
    const [one, two] = [power(value, dp, p), power(value, dq, q)];
    const h = (((one - two) * qi) % p + p) % p;
    return octets(two + h * q, n.length);
  };
  return {
    group: "RSA",
    publicBlob: concat(words(0x31415352, modulusLength, e.length, n.length, 0, 0), e, n),
    sign(digest, padding) {
      if (padding.type === "none") throw new Error("RSA without padding.");
      return raw(
        padding.type === "pkcs1"
          ? padPkcs1(digest, padding.digest, n.length)
          : padPss(digest, padding.digest, padding.salt, modulusLength),
      );
    },
  };
}

const ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;

/** A new P-256 key pair. */
export function p256Pair(): SimulatedKeyPair {
  const ecdh = createECDH("prime256v1");
  const point = Uint8Array.from(ecdh.generateKeys());
  const secret = number(Uint8Array.from(ecdh.getPrivateKey()));
  return {
    group: "ECDSA",
    publicBlob: concat(words(0x31534345, 32), point.subarray(1)),
    sign(digest, padding) {
      if (padding.type !== "none") throw new Error("ECDSA with padding.");
      const nonce = createECDH("prime256v1");
      const r = number(Uint8Array.from(nonce.generateKeys()).slice(1, 33)) % ORDER;
      const k = number(Uint8Array.from(nonce.getPrivateKey()));
      const s = power(k, ORDER - 2n, ORDER) * (number(digest) + r * secret) % ORDER;
      return concat(octets(r, 32), octets(s, 32));
    },
  };
}

function padPkcs1(digest: Bytes, name: string, length: number): Bytes {
  const prefix = fromHex(DIGEST_INFO[name]!);
  const filling = new Uint8Array(length - prefix.length - digest.length - 3).fill(0xff);
  return concat(Uint8Array.of(0, 1), filling, Uint8Array.of(0), prefix, digest);
}

/** EMSA-PSS (RFC 8017 section 9.1.1) of a modulus whose length is a multiple of 8 bits. */
function padPss(digest: Bytes, name: string, saltLength: number, modulusBits: number): Bytes {
  const hash = (bytes: Bytes) =>
    Uint8Array.from(createHash(name.toLowerCase()).update(bytes).digest());
  const salt = Uint8Array.from(randomBytes(saltLength));
  const h = hash(concat(new Uint8Array(8), digest, salt));
  const length = modulusBits / 8 - h.length - 1;
  const db = concat(new Uint8Array(length - salt.length - 1), Uint8Array.of(1), salt);
  const masks: Bytes[] = [];
  for (let i = 0; masks.length * h.length < length; i++) {
    masks.push(hash(concat(h, Uint8Array.of(0, 0, i >> 8, i))));
  }
  const mask = concat(...masks);
  const masked = db.map((octet, i) => octet ^ mask[i]!);
  masked[0]! &= 0x7f;
  return concat(masked, h, Uint8Array.of(0xbc));
}

function power(base: bigint, exponent: bigint, modulus: bigint): bigint {
  let result = 1n;
  let square = base % modulus;
  for (let rest = exponent; rest > 0n; rest >>= 1n) {
    if ((rest & 1n) === 1n) result = result * square % modulus;
    square = square * square % modulus;
  }
  return result;
}

function number(bytes: Uint8Array): bigint {
  return BigInt(`0x${hex(bytes)}`);
}

function octets(value: bigint, length: number): Bytes {
  return fromHex(value.toString(16).padStart(2 * length, "0"));
}

function fromHex(text: string): Bytes {
  return Uint8Array.from(text.match(/../g)!, (digits) => parseInt(digits, 16));
}

function words(...values: number[]): Bytes {
  return new Uint8Array(Uint32Array.from(values).buffer);
}
