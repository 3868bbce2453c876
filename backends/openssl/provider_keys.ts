/**
 * The provider's key management (provider-keymgmt(7)): a key is its public half and a signer. A key
 * without a signer comes from a certificate, to be compared. None is ever exported.
 *
 * @module
 */

import type { Bytes } from "../../src/encoding.ts";
import type { SignatureScheme } from "../../src/keys.ts";
import { type NativeHandler, type Signature, signature } from "../ffi/mod.ts";
import type { NativeTables } from "./native_tables.ts";
import { PARAM, type Params } from "./params.ts";
import { ecPublicKey, type PublicKey, rsaPublicKey } from "./public_key.ts";

/** Signs at once; what it throws is what the handshake fails with. */
export type SignNow = (scheme: SignatureScheme, data: Bytes) => Bytes;

/** The parameter by which a key finds its signer. */
export const KEY_PARAM = "keybound-key";

/** Functions by number (`openssl/core_dispatch.h`). */
const NEW = 1;
const FREE = 10;
const GET_PARAMS = 11;
const GETTABLE_PARAMS = 12;
const QUERY_OPERATION_NAME = 20;
const HAS = 21;
const MATCH = 23;
const IMPORT = 40;
const IMPORT_TYPES = 41;
const EXPORT = 42;
const EXPORT_TYPES = 43;

const SELECT_PRIVATE_KEY = 1;

const NEW_KEY = signature("address", "address");
const FREE_KEY = signature("void", "address");
const GET = signature("i32", "address", "address");
const TYPES = signature("address", "i32");
const TYPES_OF = signature("address", "address");
const HAS_PARTS = signature("i32", "address", "i32");
const MATCHES = signature("i32", "address", "address", "i32");
const IMPORT_KEY = signature("i32", "address", "i32", "address");
const EXPORT_KEY = signature("i32", "address", "i32", "address", "address");

/** Makes a function that C may call and whose exceptions are kept. */
export type Guarded = <const S extends Signature>(types: S, handler: NativeHandler<S>) => bigint;

/** A key as the provider holds it. */
export interface HeldKey {
  publicKey?: PublicKey;
  signNow?: SignNow;
}

/** Keys by the handle that OpenSSL holds for them. */
export class KeyManagement {
  /** Dispatch table of RSA keys. */
  readonly rsa: bigint;
  /** Dispatch table of EC keys. */
  readonly ec: bigint;
  readonly #params: Params;
  readonly #signer: (handle: number) => SignNow | undefined;
  readonly #keys = new Map<bigint, HeldKey>();
  #last = 0n;

  /** Keys that find their signers by `signer`. */
  constructor(
    params: Params,
    tables: NativeTables,
    guarded: Guarded,
    signer: (handle: number) => SignNow | undefined,
  ) {
    this.#params = params;
    this.#signer = signer;
    const list = (entries: readonly (readonly [string, number])[]) => {
      const kept: Uint8Array[] = [];
      const array = params.array(entries, kept);
      kept.forEach((bytes) => tables.keep(bytes));
      return tables.keep(array);
    };
    const importable = list([
      ["n", PARAM.unsignedInteger],
      ["e", PARAM.unsignedInteger],
      ["group", PARAM.text],
      ["pub", PARAM.octets],
      [KEY_PARAM, PARAM.integer],
    ]);
    const gettable = list([
      ["bits", PARAM.integer],
      ["security-bits", PARAM.integer],
      ["max-size", PARAM.integer],
      ["group", PARAM.text],
    ]);
    const types = guarded(TYPES, () => importable);
    const common: (readonly [number, bigint])[] = [
      [NEW, guarded(NEW_KEY, () => this.#create())],
      [FREE, guarded(FREE_KEY, (key) => void this.#keys.delete(key))],
      [GET_PARAMS, guarded(GET, (key, array) => this.#get(key, array))],
      [GETTABLE_PARAMS, guarded(TYPES_OF, () => gettable)],
      [HAS, guarded(HAS_PARTS, (key, parts) => this.#has(key, parts))],
      [MATCH, guarded(MATCHES, (one, other) => this.#match(one, other))],
      [IMPORT, guarded(IMPORT_KEY, (key, _parts, array) => this.#import(key, array))],
      [IMPORT_TYPES, types],
      [EXPORT, guarded(EXPORT_KEY, () => 0)],
      [EXPORT_TYPES, types],
    ];
    const ecdsa = tables.text("ECDSA");
    this.rsa = tables.dispatch(common);
    this.ec = tables.dispatch([...common, [QUERY_OPERATION_NAME, guarded(TYPES, () => ecdsa)]]);
  }

  /** The key of this handle. */
  at(handle: bigint): HeldKey | undefined {
    return this.#keys.get(handle);
  }

  #create(): bigint {
    // OpenSSL looks at a handle only to see that it isn't NULL.
    const handle = ++this.#last;
    this.#keys.set(handle, {});
    return handle;
  }

  #has(handle: bigint, parts: number): number {
    const key = this.#keys.get(handle);
    if (key?.publicKey === undefined) return 0;
    return (parts & SELECT_PRIVATE_KEY) !== 0 && key.signNow === undefined ? 0 : 1;
  }

  #match(one: bigint, other: bigint): number {
    const [a, b] = [one, other].map((handle) => this.#keys.get(handle)?.publicKey);
    return a !== undefined && a.type === b?.type && a.identity === b.identity ? 1 : 0;
  }

  #import(handle: bigint, array: bigint): number {
    const key = this.#keys.get(handle);
    const params = new Map(this.#params.read(array).map((param) => [param.name, param]));
    const [n, group, point, signer] = ["n", "group", "pub", KEY_PARAM].map((name) =>
      params.get(name)
    );
    const publicKey = n !== undefined
      ? rsaPublicKey(withoutLeadingZeros(this.#params.bytes(n).reverse()))
      : group !== undefined && point !== undefined
      ? ecPublicKey(this.#params.text(group), this.#params.bytes(point))
      : undefined;
    if (key === undefined || publicKey === undefined) return 0;
    key.publicKey = publicKey;
    const signNow = signer && this.#signer(this.#params.integer(signer));
    if (signNow !== undefined) key.signNow = signNow;
    return 1;
  }

  #get(handle: bigint, array: bigint): number {
    const publicKey = this.#keys.get(handle)?.publicKey;
    if (publicKey === undefined) return 0;
    for (const param of this.#params.read(array)) {
      switch (param.name) {
        case "bits":
          this.#params.setInteger(param, publicKey.bits);
          break;
        case "security-bits":
          this.#params.setInteger(param, publicKey.securityBits);
          break;
        case "max-size":
          this.#params.setInteger(param, publicKey.maxSize);
          break;
        case "group":
          if (publicKey.group === undefined) break;
          if (!this.#params.setText(param, publicKey.group)) return 0;
      }
    }
    return 1;
  }
}

function withoutLeadingZeros(bytes: Uint8Array): Uint8Array {
  const start = bytes.findIndex((byte) => byte !== 0);
  return start < 0 ? new Uint8Array(0) : bytes.subarray(start);
}
