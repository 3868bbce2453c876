/**
 * The key exchange and the signature of a TLS server.
 *
 * @module
 */

import {
  constants,
  createECDH,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  type KeyObject,
  sign,
} from "node:crypto";
import { base64url, type Bytes, fromBase64url } from "../../src/encoding.ts";

/** Named groups (RFC 8446 section 4.2.7). */
export const P256 = 23;
/** X25519. */
export const X25519 = 29;

/** A server's part of a Diffie-Hellman exchange. */
export interface KeyShare {
  /** Named group. */
  readonly group: number;
  /** Public key, as TLS carries it. */
  readonly publicKey: Bytes;
  /** The shared secret with a client's public key. */
  shared(clientKey: Uint8Array): Bytes;
}

/** A new key in the first of these groups that is known here, X25519 first. */
export function createKeyShare(groups: readonly number[]): KeyShare | undefined {
  if (groups.includes(X25519)) return x25519();
  return groups.includes(P256) ? p256() : undefined;
}

function x25519(): KeyShare {
  const { publicKey, privateKey } = generateKeyPairSync("x25519");
  const { x } = publicKey.export({ format: "jwk" });
  return {
    group: X25519,
    publicKey: fromBase64url(x ?? ""),
    shared(clientKey) {
      const jwk = { kty: "OKP", crv: "X25519", x: base64url(clientKey) };
      const peer = createPublicKey({ format: "jwk", key: jwk });
      return new Uint8Array(diffieHellman({ privateKey, publicKey: peer }));
    },
  };
}

function p256(): KeyShare {
  const exchange = createECDH("prime256v1");
  return {
    group: P256,
    publicKey: new Uint8Array(exchange.generateKeys()),
    shared: (clientKey) => new Uint8Array(exchange.computeSecret(clientKey)),
  };
}

const RSA_PSS_SHA256 = 0x0804;
const RSA_PKCS1_SHA256 = 0x0401;
const ECDSA_P256_SHA256 = 0x0403;

/** Signature schemes a client may use, RSA and ECDSA. */
export const CLIENT_SCHEMES: readonly number[] = [
  RSA_PSS_SHA256,
  RSA_PKCS1_SHA256,
  ECDSA_P256_SHA256,
];

/** The scheme that this key signs with, in TLS 1.3 and in TLS 1.2 alike. */
export function schemeOf(key: KeyObject): number {
  return key.asymmetricKeyType === "ec" ? ECDSA_P256_SHA256 : RSA_PSS_SHA256;
}

/** The signature over `data` in the key's scheme: RSA-PSS, or ECDSA on P-256; with SHA-256. */
export function signWith(key: KeyObject, data: Uint8Array): Bytes {
  const padding = key.asymmetricKeyType === "ec" ? {} : {
    padding: constants.RSA_PKCS1_PSS_PADDING,
    saltLength: constants.RSA_PSS_SALTLEN_DIGEST,
  };
  return new Uint8Array(sign("sha256", data, { key, ...padding }));
}
