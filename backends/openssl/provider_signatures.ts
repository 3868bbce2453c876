/**
 * The provider's signatures (provider-signature(7)): which scheme OpenSSL asks for, and the bytes
 * that the key's signer gives.
 *
 * @module
 */

import { KeyboundError } from "../../src/errors.ts";
import { type Ffi, layout, signature } from "../ffi/mod.ts";
import type { CryptoFunctions } from "./functions.ts";
import type { NativeTables } from "./native_tables.ts";
import type { OpensslFunctions } from "./openssl.ts";
import { PARAM, type Params } from "./params.ts";
import type { Guarded, HeldKey, KeyManagement } from "./provider_keys.ts";
import { schemeOf } from "./public_key.ts";
import { implausible } from "./signing.ts";

/** Functions by number (`openssl/core_dispatch.h`). */
const NEW_CONTEXT = 1;
const DIGEST_SIGN_INIT = 8;
const DIGEST_SIGN = 11;
const FREE_CONTEXT = 16;
const SET_CONTEXT_PARAMS = 20;
const SETTABLE_CONTEXT_PARAMS = 21;

const NEW = signature("address", "address", "address");
const FREE = signature("void", "address");
const INIT = signature("i32", "address", "address", "address", "address");
const SIGN = signature("i32", "address", "address", "address", "usize", "address", "usize");
const SET = signature("i32", "address", "address");
const SETTABLE = signature("address", "address", "address");

/** `RSA_PKCS1_PADDING` and `RSA_PKCS1_PSS_PADDING`, by number and by name. */
const PADDINGS: Readonly<Record<string, "pkcs1" | "pss">> = {
  1: "pkcs1",
  6: "pss",
  pkcs1: "pkcs1",
  pss: "pss",
};

/** Longest message of TLS that is signed, bytes; the transcript of TLS 1.2 as a whole. */
const MAX_MESSAGE = 1n << 20n;

interface Context {
  key?: HeldKey;
  digest?: string;
  padding?: "pkcs1" | "pss" | undefined;
}

/** Signature operations by the handle that OpenSSL holds for them. */
export class Signatures {
  /** Dispatch table, for RSA and ECDSA alike. */
  readonly table: bigint;
  readonly #ffi: Ffi;
  readonly #crypto: CryptoFunctions;
  readonly #params: Params;
  readonly #keys: KeyManagement;
  readonly #size: (size: bigint) => Uint8Array;
  readonly #contexts = new Map<bigint, Context>();
  #last = 0n;

  /** Signatures with these keys. */
  constructor(
    { ffi, crypto }: OpensslFunctions,
    params: Params,
    tables: NativeTables,
    guarded: Guarded,
    keys: KeyManagement,
  ) {
    this.#ffi = ffi;
    this.#crypto = crypto;
    this.#params = params;
    this.#keys = keys;
    const { encode } = layout({ size: "usize" }, ffi.platform);
    this.#size = (size) => encode({ size });
    const kept: Uint8Array[] = [];
    const settable = tables.keep(params.array([
      ["pad-mode", PARAM.integer],
      ["saltlen", PARAM.integer],
      ["digest", PARAM.text],
      ["mgf1-digest", PARAM.text],
    ], kept));
    kept.forEach((bytes) => tables.keep(bytes));
    this.table = tables.dispatch([
      [NEW_CONTEXT, guarded(NEW, () => this.#create())],
      [FREE_CONTEXT, guarded(FREE, (context) => void this.#contexts.delete(context))],
      [
        DIGEST_SIGN_INIT,
        guarded(INIT, (context, digest, key, array) => this.#init(context, digest, key, array)),
      ],
      [
        DIGEST_SIGN,
        guarded(
          SIGN,
          (context, out, length, room, data, size) =>
            this.#sign(context, out, length, room, data, size),
        ),
      ],
      [SET_CONTEXT_PARAMS, guarded(SET, (context, array) => this.#set(context, array))],
      [SETTABLE_CONTEXT_PARAMS, guarded(SETTABLE, () => settable)],
    ]);
  }

  #create(): bigint {
    const handle = ++this.#last;
    this.#contexts.set(handle, {});
    return handle;
  }

  #init(handle: bigint, digest: bigint, key: bigint, array: bigint): number {
    const context = this.#contexts.get(handle);
    const held = this.#keys.at(key);
    if (context === undefined || held?.signNow === undefined) return 0;
    context.key = held;
    // What an RSA signature is unless OpenSSL says otherwise.
    context.padding = held.publicKey?.type === "RSA" ? "pkcs1" : undefined;
    if (digest !== 0n) context.digest = this.#ffi.readText(digest, 64);
    return this.#set(handle, array);
  }

  #set(handle: bigint, array: bigint): number {
    const context = this.#contexts.get(handle);
    if (context === undefined) return 0;
    for (const param of this.#params.read(array)) {
      const value = () =>
        param.type === PARAM.text ? this.#params.text(param) : String(this.#params.integer(param));
      if (param.name === "pad-mode") context.padding = PADDINGS[value()];
      else if (param.name === "digest") context.digest = value();
    }
    return 1;
  }

  /** `out` is 0 where only the longest length is asked for. */
  #sign(
    handle: bigint,
    out: bigint,
    length: bigint,
    room: bigint,
    data: bigint,
    size: bigint,
  ): number {
    const { key, digest = "", padding } = this.#contexts.get(handle) ?? {};
    if (key?.publicKey === undefined || key.signNow === undefined) return 0;
    const { publicKey, signNow } = key;
    if (out === 0n) {
      this.#ffi.write(length, this.#size(BigInt(publicKey.maxSize)));
      return 1;
    }
    const scheme = schemeOf(publicKey, padding, digest);
    if (scheme === undefined || size > MAX_MESSAGE) {
      throw new KeyboundError(
        "unsupported_scheme",
        `TLS asks for a signature with ${digest} that has no name. Check the server's TLS versions.`,
      );
    }
    const signed = this.#keepingErrors(() => signNow(scheme, this.#ffi.read(data, Number(size))));
    if (!isPlausible(signed, publicKey.type, publicKey.maxSize) || BigInt(signed.length) > room) {
      throw implausible(scheme);
    }
    this.#ffi.write(out, signed);
    this.#ffi.write(length, this.#size(BigInt(signed.length)));
    return 1;
  }

  /** A key's module may use this libcrypto too: what it leaves in the queue isn't the handshake's. */
  #keepingErrors<T>(work: () => T): T {
    const { ERR_pop_to_mark: forget, ERR_set_mark: mark } = this.#crypto;
    mark();
    try {
      return work();
    } finally {
      forget();
    }
  }
}

/** An RSA signature is as long as the modulus; one of ECDSA varies. */
function isPlausible(signed: Uint8Array, type: "RSA" | "EC", maxSize: number): boolean {
  return signed instanceof Uint8Array &&
    (type === "RSA" ? signed.length === maxSize : signed.length > 0 && signed.length <= maxSize);
}
