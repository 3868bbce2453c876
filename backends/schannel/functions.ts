/**
 * The functions of secur32.dll and crypt32.dll that are used here.
 *
 * @module
 */

import type { NativeFunction, NativeLibrary, NativeType, ReturnType } from "../ffi/mod.ts";

type Table = Readonly<Record<string, readonly [ReturnType, ...NativeType[]]>>;

/** What each returns, then what it takes. Statuses are `SECURITY_STATUS`, read as a `DWORD`. */
const SECURITY = {
  AcquireCredentialsHandleW: [
    "u32",
    "buffer",
    "buffer",
    "u32",
    "buffer",
    "buffer",
    "address",
    "address",
    "buffer",
    "buffer",
  ],
  ApplyControlToken: ["u32", "buffer", "buffer"],
  DecryptMessage: ["u32", "buffer", "buffer", "u32", "buffer"],
  DeleteSecurityContext: ["u32", "buffer"],
  EncryptMessage: ["u32", "buffer", "u32", "buffer", "u32"],
  FreeContextBuffer: ["u32", "address"],
  FreeCredentialsHandle: ["u32", "buffer"],
  InitializeSecurityContextW: [
    "u32",
    "buffer",
    "buffer",
    "buffer",
    "u32",
    "u32",
    "u32",
    "buffer",
    "u32",
    "buffer",
    "buffer",
    "buffer",
    "buffer",
  ],
  QueryContextAttributesW: ["u32", "buffer", "u32", "buffer"],
} as const;

const CERTIFICATES = {
  CertAddEncodedCertificateToStore: ["i32", "address", "u32", "buffer", "u32", "u32", "buffer"],
  CertCloseStore: ["i32", "address", "u32"],
  CertCreateCertificateChainEngine: ["i32", "buffer", "buffer"],
  CertFreeCertificateChain: ["void", "address"],
  CertFreeCertificateChainEngine: ["void", "address"],
  CertFreeCertificateContext: ["i32", "address"],
  CertGetCertificateChain: [
    "i32",
    "address",
    "address",
    "address",
    "address",
    "buffer",
    "u32",
    "address",
    "buffer",
  ],
  CertOpenStore: ["address", "address", "u32", "address", "u32", "address"],
  CertSetCertificateContextProperty: ["i32", "address", "u32", "u32", "buffer"],
  CertVerifyCertificateChainPolicy: ["i32", "address", "address", "buffer", "buffer"],
} as const;

type Functions<T extends Table> = {
  readonly [N in keyof T]: NativeFunction<
    T[N] extends readonly [infer R extends ReturnType, ...infer P extends readonly NativeType[]]
      ? { readonly returns: R; readonly takes: P }
      : never
  >;
};

/** SSPI. */
export type SecurityFunctions = Functions<typeof SECURITY>;

/** CryptoAPI. */
export type CertificateFunctions = Functions<typeof CERTIFICATES>;

/** The functions of `secur32.dll`. Throws `key_provider_unavailable`. */
export function securityFunctions(library: NativeLibrary): SecurityFunctions {
  return functionsOf(library, SECURITY);
}

/** The functions of `crypt32.dll`. Throws `key_provider_unavailable`. */
export function certificateFunctions(library: NativeLibrary): CertificateFunctions {
  return functionsOf(library, CERTIFICATES);
}

function functionsOf<const T extends Table>(library: NativeLibrary, table: T): Functions<T> {
  const entries = Object.entries(table).map(([name, [returns, ...takes]]) => [
    name,
    library.function(name, { returns, takes }),
  ]);
  return Object.fromEntries(entries) as Functions<T>;
}
