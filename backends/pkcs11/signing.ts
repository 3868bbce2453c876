/**
 * The ways in which a token may make a signature, best first. Tokens are tried, not asked: what
 * they say about their mechanisms is often wrong (tpm2-pkcs11 doesn't list PSS and does it).
 *
 * @module
 */

import { randomBytes } from "node:crypto";
import type { Bytes } from "../../src/encoding.ts";
import type { SignatureScheme } from "../../src/keys.ts";
import { ecdsaSignatureToDer } from "../../src/x509/ecdsa.ts";
import { publicKeyAlgorithm } from "../../src/x509/public_key.ts";
import { CKG, CKM } from "./constants.ts";
import { digest, type DigestBits, digestInfo, encodePss } from "./padding.ts";
import type { Mechanism } from "./structs.ts";

/** One way to make a signature in a scheme. */
export interface SigningWay {
  readonly mechanism: Mechanism;
  /** What the token is given for `data`. */
  input(data: Uint8Array): Bytes;
  /** The signature as TLS carries it. */
  output(raw: Bytes): Bytes;
}

/** Schemes that share a padding: where one works in a way, so do the others. */
export type SchemeFamily = readonly SignatureScheme[];

const PSS: readonly SchemeFamily[] = [
  // A TPM that pads by itself needs the digest on its chip: each is tried.
  ["rsa_pss_rsae_sha256"],
  ["rsa_pss_rsae_sha384"],
  ["rsa_pss_rsae_sha512"],
];
const PKCS1: readonly SchemeFamily[] = [[
  "rsa_pkcs1_sha256",
  "rsa_pkcs1_sha384",
  "rsa_pkcs1_sha512",
]];
const EC: Readonly<Record<string, SignatureScheme>> = {
  "P-256": "ecdsa_secp256r1_sha256",
  "P-384": "ecdsa_secp384r1_sha384",
  "P-521": "ecdsa_secp521r1_sha512",
};

const HASHES: Readonly<Record<DigestBits, Readonly<Record<string, number>>>> = {
  256: {
    hash: CKM.SHA256,
    mask: CKG.MGF1_SHA256,
    pss: CKM.SHA256_RSA_PKCS_PSS,
    pkcs1: CKM.SHA256_RSA_PKCS,
    ecdsa: CKM.ECDSA_SHA256,
  },
  384: {
    hash: CKM.SHA384,
    mask: CKG.MGF1_SHA384,
    pss: CKM.SHA384_RSA_PKCS_PSS,
    pkcs1: CKM.SHA384_RSA_PKCS,
    ecdsa: CKM.ECDSA_SHA384,
  },
  512: {
    hash: CKM.SHA512,
    mask: CKG.MGF1_SHA512,
    pss: CKM.SHA512_RSA_PKCS_PSS,
    pkcs1: CKM.SHA512_RSA_PKCS,
    ecdsa: CKM.ECDSA_SHA512,
  },
};

/**
 * The families of schemes for the key of this SPKI, best first.
 *
 * Throws `unsupported_key` or `invalid_der`.
 */
export function schemeFamilies(spki: Bytes): readonly SchemeFamily[] {
  const algorithm = publicKeyAlgorithm(spki);
  return algorithm.type === "ec" ? [[EC[algorithm.curve]!]] : [...PSS, ...PKCS1];
}

/** The ways to sign in `scheme` with the key of this SPKI, best first. */
export function signingWays(scheme: SignatureScheme, spki: Bytes): readonly SigningWay[] {
  const bits = Number(scheme.slice(-3)) as DigestBits;
  const { hash, mask, pss, pkcs1, ecdsa } = HASHES[bits] as Record<string, number>;
  const asIs = (raw: Bytes) => raw;
  const message = (data: Uint8Array) => new Uint8Array(data);
  const hashed = (data: Uint8Array) => digest(bits, data);
  if (scheme.startsWith("ecdsa")) {
    return [
      { mechanism: { type: CKM.ECDSA }, input: hashed, output: ecdsaSignatureToDer },
      { mechanism: { type: ecdsa! }, input: message, output: ecdsaSignatureToDer },
    ];
  }
  if (scheme.startsWith("rsa_pkcs1")) {
    const input = (data: Uint8Array) => digestInfo(bits, data);
    return [
      { mechanism: { type: CKM.RSA_PKCS }, input, output: asIs },
      { mechanism: { type: pkcs1! }, input: message, output: asIs },
    ];
  }
  const parameter = [hash!, mask!, bits / 8];
  const algorithm = publicKeyAlgorithm(spki);
  const modulusBits = algorithm.type === "rsa" ? algorithm.modulusBits : 0;
  return [
    { mechanism: { type: CKM.RSA_PKCS_PSS, parameter }, input: hashed, output: asIs },
    { mechanism: { type: pss!, parameter }, input: message, output: asIs },
    {
      mechanism: { type: CKM.RSA_X_509 },
      input: (data) => encodePss(bits, data, modulusBits, randomBytes(bits / 8)),
      output: asIs,
    },
  ];
}
