/**
 * The kinds of key that Windows makes, strongest first (protocol.md section 2.2).
 *
 * @module
 */

import type { KeyAlgorithm, KeyStrength, SignatureScheme } from "../../src/keys.ts";
import { KEY_STORAGE, KEY_USAGE, NCRYPT } from "./constants.ts";

/** How keys of one strength are made. */
export interface Tier {
  readonly strength: KeyStrength;
  /** Key storage provider. */
  readonly provider: string;
  /** Flags of `NCryptCreatePersistedKey` besides those for replacing and for the machine. */
  readonly flags: number;
  /** Property `Key Usage`. */
  readonly usage: number;
}

/** How keys of each strength are made. */
export const TIERS: Readonly<Record<KeyStrength, Tier>> = {
  keyguard: {
    strength: "keyguard",
    provider: KEY_STORAGE.SOFTWARE,
    flags: NCRYPT.USE_VIRTUAL_ISOLATION | NCRYPT.USE_PER_BOOT_KEY,
    usage: KEY_USAGE.ALL,
  },
  hardware: {
    strength: "hardware",
    provider: KEY_STORAGE.PLATFORM,
    flags: 0,
    usage: KEY_USAGE.SIGNING,
  },
  software: {
    strength: "software",
    provider: KEY_STORAGE.SOFTWARE,
    flags: 0,
    usage: KEY_USAGE.SIGNING,
  },
};

const ORDER: readonly KeyStrength[] = ["keyguard", "hardware", "software"];

/** The strengths that meet `floor`, strongest first. */
export function strengthsFrom(floor: KeyStrength): readonly KeyStrength[] {
  return ORDER.slice(0, ORDER.indexOf(floor) + 1);
}

/** What CNG calls a kind of key, and the length of an RSA modulus in bits. */
export interface CngAlgorithm {
  readonly name: string;
  readonly length?: number;
}

const ALGORITHMS: Readonly<Record<KeyAlgorithm, CngAlgorithm>> = {
  "RSA-2048": { name: "RSA", length: 2048 },
  "RSA-3072": { name: "RSA", length: 3072 },
  "P-256": { name: "ECDSA_P256" },
};

/** What CNG calls this kind of key; `undefined` for one that isn't known. */
export function cngAlgorithm(algorithm: KeyAlgorithm): CngAlgorithm | undefined {
  return Object.hasOwn(ALGORITHMS, algorithm) ? ALGORITHMS[algorithm] : undefined;
}

const EC_SCHEMES: Readonly<Record<string, readonly SignatureScheme[]>> = {
  "P-256": ["ecdsa_secp256r1_sha256"],
  "P-384": ["ecdsa_secp384r1_sha384"],
  "P-521": ["ecdsa_secp521r1_sha512"],
};

const RSA_SCHEMES: readonly SignatureScheme[] = [
  "rsa_pss_rsae_sha256",
  "rsa_pss_rsae_sha384",
  "rsa_pss_rsae_sha512",
  "rsa_pkcs1_sha256",
  "rsa_pkcs1_sha384",
  "rsa_pkcs1_sha512",
];

/**
 * What a key of this kind may be able to sign, best first. `curve` is `undefined` for RSA. A TPM
 * has few digests, and not each has PSS with the salt of TLS: of hardware keys each scheme counts
 * only when a signature has verified.
 */
export function possibleSchemes(
  curve: string | undefined,
  strength: KeyStrength,
): readonly SignatureScheme[] {
  if (curve !== undefined) return EC_SCHEMES[curve] ?? [];
  return strength === "hardware"
    ? RSA_SCHEMES.filter((scheme) => scheme.endsWith("256"))
    : RSA_SCHEMES;
}
