/**
 * Numbers and names of `ncrypt.h`, `wincrypt.h` and `winbase.h` that this backend uses.
 *
 * @module
 */

/** Flags of NCrypt functions. */
export const NCRYPT = {
  PAD_PKCS1: 0x2,
  PAD_PSS: 0x8,
  MACHINE_KEY: 0x20,
  SILENT: 0x40,
  OVERWRITE_KEY: 0x80,
  /** Keeps the key in the isolated user mode of VBS: a KeyGuard key. */
  USE_VIRTUAL_ISOLATION: 0x20000,
  /** The key dies with this boot of the machine. */
  USE_PER_BOOT_KEY: 0x40000,
} as const;

/** Values of the property `Key Usage`. */
export const KEY_USAGE = { SIGNING: 0x2, ALL: 0xffffff } as const;

/** Key storage providers. */
export const KEY_STORAGE = {
  SOFTWARE: "Microsoft Software Key Storage Provider",
  PLATFORM: "Microsoft Platform Crypto Provider",
} as const;

/** Properties of CNG keys. */
export const PROPERTY = {
  ALGORITHM_GROUP: "Algorithm Group",
  EXPORT_POLICY: "Export Policy",
  KEY_USAGE: "Key Usage",
  LENGTH: "Length",
  VIRTUAL_ISOLATION: "Virtual Iso",
} as const;

/** Formats of exported public keys. */
export const BLOB = { RSA: "RSAPUBLICBLOB", ECC: "ECCPUBLICBLOB" } as const;

/** Properties of certificate contexts. */
export const CERT_PROPERTY = { KEY_PROV_INFO: 2, FRIENDLY_NAME: 11 } as const;

/** What certificate stores are opened, written and committed with. */
export const CERT_STORE = {
  PROVIDER_SYSTEM_W: 10n,
  CURRENT_USER: 0x10000,
  LOCAL_MACHINE: 0x20000,
  ADD_NEW: 1,
  CONTROL_COMMIT: 3,
} as const;

/** `X509_ASN_ENCODING`. */
export const X509_ASN_ENCODING = 1;

/** What `WaitForSingleObject` returns. */
export const WAIT = { OBJECT: 0, ABANDONED: 0x80, TIMEOUT: 0x102 } as const;

/** Values of `GetLastError`. */
export const ERROR = {
  ACCESS_DENIED: 5,
  E_ACCESSDENIED: 0x80070005,
  CRYPT_E_EXISTS: 0x80092005,
} as const;
