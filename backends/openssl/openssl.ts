/**
 * OpenSSL for one who uses it: its functions, its errors, and a count of what was taken from it.
 *
 * @module
 */

import { utf8 } from "../../src/encoding.ts";
import type { Ffi } from "../ffi/mod.ts";
import { failureOf, type QueuedError } from "./errors.ts";
import type { CryptoFunctions, SslFunctions } from "./functions.ts";

/** Most errors that are read of one failure. */
const MAX_ERRORS = 8;

/** What is counted. */
export type NativeObject = "context" | "connection" | "key" | "library" | "session";

/** How many native objects are held, by kind; those at 0 are left out. */
export type LiveObjects = Readonly<Partial<Record<NativeObject, number>>>;

/** The functions of libcrypto and of the libssl that goes with it. */
export interface OpensslFunctions {
  readonly ffi: Ffi;
  readonly crypto: CryptoFunctions;
  readonly ssl: SslFunctions;
}

/** OpenSSL as one of those who use it has it: what it took of it is counted here. */
export class Openssl implements OpensslFunctions {
  readonly ffi: Ffi;
  readonly crypto: CryptoFunctions;
  readonly ssl: SslFunctions;
  /** Connections to be freed before the end. */
  readonly connections: Set<{ free(): void }> = new Set();
  readonly #live = new Map<NativeObject, number>();

  /** Nothing was taken yet. */
  constructor({ ffi, crypto, ssl }: OpensslFunctions) {
    this.ffi = ffi;
    this.crypto = crypto;
    this.ssl = ssl;
  }

  /** What is held. */
  get live(): LiveObjects {
    return Object.fromEntries([...this.#live].filter(([, count]) => count !== 0));
  }

  /** Counts an object that was taken (`1`) or freed (`-1`). */
  count(object: NativeObject, change: 1 | -1): void {
    this.#live.set(object, (this.#live.get(object) ?? 0) + change);
  }

  /** The object at `address`, counted; throws what OpenSSL has to say where it is 0. */
  taken(object: NativeObject, address: bigint): bigint {
    this.expect(address !== 0n, `OpenSSL gave no ${object}`);
    this.count(object, 1);
    return address;
  }

  /** Throws what OpenSSL has to say unless `ok`. */
  expect(ok: boolean, what: string): void {
    if (!ok) throw failureOf(this.errors(), what);
  }

  /** The errors of this thread, oldest first; the queue is empty then. */
  errors(): QueuedError[] {
    const errors: QueuedError[] = [];
    for (let code = this.crypto.ERR_get_error(); code !== 0n;) {
      if (errors.length < MAX_ERRORS) errors.push({ code, text: this.#errorText(code) });
      code = this.crypto.ERR_get_error();
    }
    return errors;
  }

  /** OpenSSL's words for a result of certificate verification (`X509_V_ERR_...`). */
  verificationText(result: bigint): string {
    return this.ffi.readText(this.crypto.X509_verify_cert_error_string(result), 200);
  }

  #errorText(code: bigint): string {
    const text = new Uint8Array(256);
    this.crypto.ERR_error_string_n(code, text, BigInt(text.length));
    return new TextDecoder().decode(text.subarray(0, text.indexOf(0)));
  }
}

/** Text as C takes it. */
export function cText(text: string): Uint8Array {
  return utf8(`${text}\0`);
}
