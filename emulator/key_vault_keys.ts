/**
 * Keys of the emulated Key Vault: made here, never given out, and signing digests as the real ones.
 *
 * @module
 */

import {
  constants,
  createECDH,
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type JsonWebKey,
  type KeyObject,
  privateEncrypt,
  randomBytes,
} from "node:crypto";

/** What a key can be made of. */
export type VaultKeyType = "RSA" | "RSA-HSM" | "EC" | "EC-HSM";

/** One version of a key. */
export interface VaultKey {
  /** Version, 32 hex digits. */
  readonly version: string;
  /** Its type, as the vault says it. */
  readonly type: VaultKeyType;
  /** When it was made, in seconds since the Unix epoch. */
  readonly created: number;
  /** The public half. */
  readonly publicKey: JsonWebKey;
  /** The private half. */
  readonly privateKey: KeyObject;
}

/** Curve of the EC keys; the vault knows more. */
const P256 = "P-256";

/** Order of P-256 (SEC 2 section 2.4.2). */
const ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;

/** DigestInfo before a SHA-256 digest (RFC 8017 section 9.2, note 1). */
const SHA256_INFO = Buffer.from("3031300d060960864801650304020105000420", "hex");

/** A new key. `created`: seconds since the Unix epoch. */
export function createVaultKey(
  type: VaultKeyType,
  modulusLength: number,
  created: number,
): VaultKey {
  const { privateKey, publicKey } = type.startsWith("RSA")
    ? generateKeyPairSync("rsa", { modulusLength })
    : generateKeyPairSync("ec", { namedCurve: P256 });
  return {
    version: newVersion(),
    type,
    created,
    // Exported and read anew, since not every runtime exports a fresh key as JWK.
    publicKey: createPublicKey(publicKey.export({ type: "spki", format: "pem" }))
      .export({ format: "jwk" }),
    privateKey: createPrivateKey(privateKey.export({ type: "pkcs8", format: "pem" })),
  };
}

/** A version of a key or secret. */
export function newVersion(): string {
  return randomBytes(16).toString("hex");
}

/** The signature over a SHA-256 digest; `undefined` for what this key can't do. */
export function signDigest(
  key: VaultKey,
  algorithm: string,
  digest: Uint8Array,
): Buffer | undefined {
  const isRsa = key.type.startsWith("RSA");
  if (digest.length !== 32) return undefined;
  switch (algorithm) {
    case "RS256":
      return isRsa
        ? privateEncrypt(
          { key: key.privateKey, padding: constants.RSA_PKCS1_PADDING },
          Buffer.concat([SHA256_INFO, digest]),
        )
        : undefined;
    case "PS256":
      return isRsa ? signPss(key.privateKey, digest) : undefined;
    case "ES256":
      return isRsa ? undefined : signEcdsa(key.privateKey, digest);
    default:
      return undefined;
  }
}

/** EMSA-PSS (RFC 8017 section 9.1.1): OpenSSL signs no digest that it hasn't made, by way of Node. */
function signPss(key: KeyObject, digest: Uint8Array): Buffer {
  const bits = key.asymmetricKeyDetails!.modulusLength!;
  const salt = randomBytes(32);
  const hash = sha256(new Uint8Array(8), digest, salt);
  const block = Buffer.alloc(bits / 8 - 33);
  block[block.length - 33] = 1;
  salt.copy(block, block.length - 32);
  const masked = xor(block, mask(hash, block.length));
  masked[0]! &= 0x7f;
  const encoded = Buffer.concat([masked, hash, Buffer.of(0xbc)]);
  return privateEncrypt({ key, padding: constants.RSA_NO_PADDING }, encoded);
}

/** MGF1 with SHA-256 (RFC 8017 appendix B.2.1). */
function mask(seed: Uint8Array, length: number): Buffer {
  const blocks = Array.from({ length: Math.ceil(length / 32) }, (_, index) => {
    const counter = Buffer.alloc(4);
    counter.writeUInt32BE(index);
    return sha256(seed, counter);
  });
  return Buffer.concat(blocks).subarray(0, length);
}

function xor(a: Uint8Array, b: Uint8Array): Buffer {
  return Buffer.from(a.map((octet, index) => octet ^ b[index]!));
}

function sha256(...parts: readonly Uint8Array[]): Buffer {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest();
}

/** r || s (FIPS 186-5 section 6.4.1): the point comes from a fresh ECDH key, the rest is arithmetic. */
function signEcdsa(key: KeyObject, digest: Uint8Array): Buffer {
  const secret = number(Buffer.from(key.export({ format: "jwk" }).d!, "base64url"));
  const ephemeral = createECDH("prime256v1");
  const point = ephemeral.generateKeys();
  const nonce = number(ephemeral.getPrivateKey());
  const r = number(point.subarray(1, 33)) % ORDER;
  const s = inverse(nonce) * (number(digest) + r * secret) % ORDER;
  return Buffer.concat(
    [r, s].map((value) => Buffer.from(value.toString(16).padStart(64, "0"), "hex")),
  );
}

function number(bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(bytes).toString("hex")}`);
}

/** By Fermat: the order is a prime. */
function inverse(value: bigint): bigint {
  let [result, base, exponent] = [1n, value % ORDER, ORDER - 2n];
  for (; exponent > 0n; exponent >>= 1n) {
    if (exponent & 1n) result = result * base % ORDER;
    base = base * base % ORDER;
  }
  return result;
}
