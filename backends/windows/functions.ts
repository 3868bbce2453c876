/**
 * The functions of `ncrypt.dll`, `crypt32.dll` and `kernel32.dll` that this backend calls.
 *
 * @module
 */

import { bind, type FunctionTable } from "../ffi/function_table.ts";
import type { NativeLibrary } from "../ffi/mod.ts";

/** `ncrypt.dll`; all return a `SECURITY_STATUS`. */
const NCRYPT = {
  NCryptOpenStorageProvider: ["i32", "buffer", "buffer", "u32"],
  NCryptCreatePersistedKey: ["i32", "address", "buffer", "buffer", "buffer", "u32", "u32"],
  NCryptOpenKey: ["i32", "address", "buffer", "buffer", "u32", "u32"],
  NCryptSetProperty: ["i32", "address", "buffer", "buffer", "u32", "u32"],
  NCryptGetProperty: ["i32", "address", "buffer", "buffer", "u32", "buffer", "u32"],
  NCryptFinalizeKey: ["i32", "address", "u32"],
  NCryptExportKey: [
    "i32",
    "address",
    "address",
    "buffer",
    "address",
    "buffer",
    "u32",
    "buffer",
    "u32",
  ],
  NCryptSignHash: ["i32", "address", "buffer", "buffer", "u32", "buffer", "u32", "buffer", "u32"],
  NCryptDeleteKey: ["i32", "address", "u32"],
  NCryptFreeObject: ["i32", "address"],
} as const;

/** `crypt32.dll`; an `i32` is a `BOOL`, whose reason is in `GetLastError`. */
const CRYPT32 = {
  CertOpenStore: ["address", "address", "u32", "address", "u32", "buffer"],
  CertCloseStore: ["i32", "address", "u32"],
  CertControlStore: ["i32", "address", "u32", "u32", "address"],
  CertEnumCertificatesInStore: ["address", "address", "address"],
  CertCreateCertificateContext: ["address", "u32", "buffer", "u32"],
  CertDuplicateCertificateContext: ["address", "address"],
  CertFreeCertificateContext: ["i32", "address"],
  CertGetCertificateContextProperty: ["i32", "address", "u32", "buffer", "buffer"],
  CertSetCertificateContextProperty: ["i32", "address", "u32", "u32", "buffer"],
  CertAddCertificateContextToStore: ["i32", "address", "address", "u32", "address"],
  CertDeleteCertificateFromStore: ["i32", "address"],
} as const;

/** `kernel32.dll`. */
const KERNEL32 = {
  CreateMutexW: ["address", "address", "i32", "buffer"],
  WaitForSingleObject: ["u32", "address", "u32"],
  ReleaseMutex: ["i32", "address"],
  CloseHandle: ["i32", "address"],
  GetLastError: ["u32"],
} as const;

/** Functions of `ncrypt.dll`. */
export type NcryptFunctions = FunctionTable<typeof NCRYPT>;
/** Functions of `crypt32.dll`. */
export type Crypt32Functions = FunctionTable<typeof CRYPT32>;
/** Functions of `kernel32.dll`. */
export type Kernel32Functions = FunctionTable<typeof KERNEL32>;

/** All functions of the backend. */
export interface WindowsFunctions {
  readonly ncrypt: NcryptFunctions;
  readonly crypt32: Crypt32Functions;
  readonly kernel32: Kernel32Functions;
}

/** The functions of these libraries; throws `key_provider_unavailable` where one lacks. */
export function windowsFunctions(open: (name: string) => NativeLibrary): WindowsFunctions {
  return {
    ncrypt: bind(open("ncrypt.dll"), NCRYPT),
    crypt32: bind(open("crypt32.dll"), CRYPT32),
    kernel32: bind(open("kernel32.dll"), KERNEL32),
  };
}
