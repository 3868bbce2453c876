/**
 * The port for private keys: a provider that opens, makes and removes them, and a key that signs.
 *
 * @module
 */

import type { Bytes } from "./encoding.ts";

/**
 * Where a private key lives, weakest first: process memory or a file (`software`), an HSM or TPM
 * (`hardware`), a VBS-isolated Windows key that can be attested (`keyguard`).
 */
export type KeyStrength = "software" | "hardware" | "keyguard";

/** A signature algorithm by its TLS 1.3 name (RFC 8446 section 4.2.3). */
export type SignatureScheme =
  | "rsa_pss_rsae_sha256"
  | "rsa_pss_rsae_sha384"
  | "rsa_pss_rsae_sha512"
  | "rsa_pkcs1_sha256"
  | "rsa_pkcs1_sha384"
  | "rsa_pkcs1_sha512"
  | "ecdsa_secp256r1_sha256"
  | "ecdsa_secp384r1_sha384"
  | "ecdsa_secp521r1_sha512";

/** The kind of key pair to make. */
export type KeyAlgorithm = "RSA-2048" | "RSA-3072" | "P-256";

/** A private key that signs and that nobody asks to leave its place. */
export interface SigningKey {
  /** Stable name within its provider. */
  readonly id: string;
  /** Where the private half lives. */
  readonly strength: KeyStrength;
  /** DER SubjectPublicKeyInfo (RFC 5280 section 4.1.2.7); rsaEncryption for RSA keys. */
  readonly spki: Bytes;
  /** What it can sign, best first. */
  readonly schemes: readonly SignatureScheme[];
  /**
   * The signature over `data` (the message itself, not its digest), as TLS carries it: the
   * modulus-sized block for RSA (PSS with a salt as long as the digest), DER `Ecdsa-Sig-Value`
   * for ECDSA.
   *
   * Rejects with `unsupported_scheme` for a scheme not in `schemes`, `key_unusable` when the key
   * is gone or refuses for good, `key_provider_unavailable` when its device or service can't be
   * reached just now (which proves nothing about the key), and the signal's reason on abort.
   */
  sign(scheme: SignatureScheme, data: Bytes, options?: KeyOptions): Promise<Bytes>;
}

/** Options of every key operation that waits. */
export interface KeyOptions {
  /** Ends the wait; the promise rejects with the signal's reason. */
  signal?: AbortSignal;
}

/** Options of {@linkcode KeyProvider.create}. */
export interface CreateKeyOptions extends KeyOptions {
  /** Kind of key pair. @default "RSA-2048" */
  algorithm?: KeyAlgorithm;
}

/** Opens, makes and removes the keys of one backend. */
export interface KeyProvider {
  /** Name of the backend, for events: `webcrypto`, `pkcs11`, `windows`. */
  readonly name: string;
  /** How strong its keys are, where that is known before there is one. */
  readonly strength?: KeyStrength;
  /**
   * The key of this name, or `undefined` where there is none. Reads the backend anew at each
   * call, so that a key replaced by another process is seen.
   *
   * Rejects with `key_provider_unavailable` or `key_file_invalid`.
   */
  open(id: string, options?: KeyOptions): Promise<SigningKey | undefined>;
  /**
   * A new key under this name, in place of any that was there.
   *
   * Rejects with `unsupported_key` for an algorithm it can't make, or `key_provider_unavailable`.
   */
  create(id: string, options?: CreateKeyOptions): Promise<SigningKey>;
  /** Destroys the key of this name; does nothing where there is none. */
  remove(id: string, options?: KeyOptions): Promise<void>;
}

/** A key that can also sign without a promise, as a C callback wants it. */
export interface SyncSigner {
  /** As {@linkcode SigningKey.sign}, at once. */
  signSync(scheme: SignatureScheme, data: Bytes): Bytes;
}

/** A software key that can be handed to a TLS stack as text. */
export interface PemExportable {
  /** The private key as PKCS#8 PEM (`PRIVATE KEY`). */
  exportPem(): Promise<string>;
}

/** Where a key of Windows is, as `CRYPT_KEY_PROV_INFO` says it. */
export interface KeyContainer {
  /** Name of the key within its provider. */
  readonly container: string;
  /** Name of the key storage provider (CNG) or cryptographic service provider (CAPI). */
  readonly provider: string;
  /** `dwProvType`: 0 for a key storage provider. */
  readonly providerType: number;
  /** `dwKeySpec`: 0 for a key storage provider. */
  readonly keySpec: number;
  /** Whether the key is the machine's and not the user's. */
  readonly machine: boolean;
}

/** A key that Windows finds by itself, as SChannel does. */
export interface InKeyContainer {
  /** Where it is. */
  readonly keyContainer: KeyContainer;
}

/** A key that Windows takes by a handle, as attestation does. */
export interface NativeHandle {
  /**
   * Runs `work` with the key's `NCRYPT_KEY_HANDLE`, which is good until `work` settles. Rejects as
   * {@linkcode SigningKey.sign} does where the key can't be opened.
   */
  withHandle<T>(work: (handle: bigint) => Promise<T>): Promise<T>;
}

/** Whether `key` can sign without a promise. */
export function isSyncSigner(key: SigningKey): key is SigningKey & SyncSigner {
  return typeof (key as Partial<SyncSigner>).signSync === "function";
}

/** Whether `key` can be handed over as PEM. */
export function isPemExportable(key: SigningKey): key is SigningKey & PemExportable {
  return typeof (key as Partial<PemExportable>).exportPem === "function";
}

/** Whether Windows finds `key` by itself. */
export function isInKeyContainer(key: SigningKey): key is SigningKey & InKeyContainer {
  return (key as Partial<InKeyContainer>).keyContainer !== undefined;
}

/** Whether `key` can be handed over as a handle of Windows. */
export function isNativeHandle(key: SigningKey): key is SigningKey & NativeHandle {
  return typeof (key as Partial<NativeHandle>).withHandle === "function";
}

const RANK: Readonly<Record<KeyStrength, number>> = { software: 1, hardware: 2, keyguard: 3 };

/** Whether `strength` is at least `floor`. */
export function meetsStrength(strength: KeyStrength, floor: KeyStrength): boolean {
  return RANK[strength] >= RANK[floor];
}
