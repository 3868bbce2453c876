/**
 * The functions of secur32.dll and crypt32.dll that are used here.
 *
 * @module
 */

import { bind, type FunctionTable } from "../ffi/function_table.ts";
import type { NativeLibrary } from "../ffi/mod.ts";

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

/** SSPI. */
export type SecurityFunctions = FunctionTable<typeof SECURITY>;

/** CryptoAPI. */
export type CertificateFunctions = FunctionTable<typeof CERTIFICATES>;

/** The functions of `secur32.dll`. Throws `key_provider_unavailable`. */
export function securityFunctions(library: NativeLibrary): SecurityFunctions {
  return bind(library, SECURITY);
}

/** The functions of `crypt32.dll`. Throws `key_provider_unavailable`. */
export function certificateFunctions(library: NativeLibrary): CertificateFunctions {
  return bind(library, CERTIFICATES);
}
