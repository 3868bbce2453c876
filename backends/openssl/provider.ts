/**
 * An OpenSSL provider (provider(7)) whose private keys are functions of JavaScript, in a library
 * context of its own. It does key management and signatures for RSA and EC; whatever else TLS needs
 * is done by OpenSSL's default provider.
 *
 * @module
 */

import type { Bytes } from "../../src/encoding.ts";
import { transportClosed } from "../../src/transport_rules.ts";
import { type NativeHandler, type Signature, signature } from "../ffi/mod.ts";
import { cText, type Openssl } from "./openssl.ts";
import { PARAM, Params } from "./params.ts";
import { KEY_PARAM, KeyManagement, type SignNow } from "./provider_keys.ts";
import { Signatures } from "./provider_signatures.ts";
import { publicKeyParams } from "./public_key.ts";
import { NativeTables } from "./native_tables.ts";

/** The provider's name. */
const NAME = "keybound";

/** Operations (`openssl/core_dispatch.h`). */
const OP_KEYMGMT = 10;
const OP_SIGNATURE = 12;
const FUNC_PROVIDER_QUERY_OPERATION = 1027;

/** `EVP_PKEY_KEYPAIR`: all parts of a key. */
const KEYPAIR = 0x87;

const SUSPEND = signature("i32", "address", "address", "address");

const RSA = "RSA:rsaEncryption:1.2.840.113549.1.1.1";
const EC = "EC:id-ecPublicKey:1.2.840.10045.2.1";

/** A library context in which keys sign by JavaScript. One thread makes and uses it. */
export class SigningProvider {
  /**
   * A function for `SSL_CTX_set_client_cert_cb` that suspends the handshake. It is asked for a
   * certificate when the server wants one and the one that is there can't be used; by itself OpenSSL
   * would go on without.
   */
  readonly suspend: bigint;
  #context: bigint | undefined;
  readonly #openssl: Openssl;
  readonly #params: Params;
  readonly #tables: NativeTables;
  readonly #providers: bigint[] = [];
  readonly #signers = new Map<number, SignNow>();
  #lastSigner = 0;
  #failure: { readonly reason: unknown } | undefined;

  /** Throws where OpenSSL doesn't take the provider. */
  constructor(openssl: Openssl) {
    const { crypto, ffi } = openssl;
    this.#openssl = openssl;
    this.#params = new Params(ffi);
    this.#tables = new NativeTables(ffi);
    this.suspend = this.#tables.callback(SUSPEND, () => -1);
    const context = openssl.taken("library", crypto.OSSL_LIB_CTX_new());
    this.#context = context;
    try {
      this.#load("default");
      const added = crypto.OSSL_PROVIDER_add_builtin(context, cText(NAME), this.#define());
      openssl.expect(added === 1, "OpenSSL refused the provider");
      this.#load(NAME);
      crypto.EVP_set_default_properties(context, cText("?provider=default"));
    } catch (error) {
      this.free();
      throw error;
    }
  }

  /** The `OSSL_LIB_CTX`. Throws `closed` when it has been freed. */
  get context(): bigint {
    if (this.#context === undefined) throw transportClosed();
    return this.#context;
  }

  /**
   * An `EVP_PKEY` with this public key (DER SubjectPublicKeyInfo) that signs by `signNow`. Throws
   * `unsupported_key`. To be given back with {@linkcode SigningProvider.freeKey}.
   */
  createKey(spki: Bytes, signNow: SignNow): NativeKey {
    const { crypto } = this.#openssl;
    const { type, params } = publicKeyParams(spki);
    const handle = ++this.#lastSigner;
    const number = new Uint8Array(new Int32Array([handle]).buffer);
    const kept: Uint8Array[] = [];
    const array = this.#params.array([...params, [KEY_PARAM, PARAM.integer, number]], kept);
    const maker = crypto.EVP_PKEY_CTX_new_from_name(
      this.context,
      cText(type),
      cText(`provider=${NAME}`),
    );
    this.#openssl.expect(maker !== 0n, "OpenSSL makes no key of this kind");
    this.#signers.set(handle, signNow);
    try {
      const made = new BigUint64Array(1);
      const ok = crypto.EVP_PKEY_fromdata_init(maker) === 1 &&
        crypto.EVP_PKEY_fromdata(maker, new Uint8Array(made.buffer), KEYPAIR, array) === 1;
      this.rethrow();
      // `kept` is named here so that what the parameters point to lives until now.
      this.#openssl.expect(ok && kept.length > 0, "OpenSSL refused the public key");
      return { handle, address: made[0]! };
    } catch (error) {
      this.#signers.delete(handle);
      throw error;
    } finally {
      crypto.EVP_PKEY_CTX_free(maker);
    }
  }

  /** Gives a key back. */
  freeKey({ handle, address }: NativeKey): void {
    this.#openssl.crypto.EVP_PKEY_free(address);
    this.#signers.delete(handle);
  }

  /** Throws what a callback has failed with since the last call, once. */
  rethrow(): void {
    const failure = this.#failure;
    this.#failure = undefined;
    if (failure !== undefined) throw failure.reason;
  }

  /** Frees it. Everything made with it must have been freed before. */
  free(): void {
    const { crypto } = this.#openssl;
    const context = this.#context;
    if (context === undefined) return;
    this.#context = undefined;
    for (const provider of this.#providers.reverse()) crypto.OSSL_PROVIDER_unload(provider);
    crypto.OSSL_LIB_CTX_free(context);
    this.#openssl.count("library", -1);
    this.#tables.free();
  }

  #load(name: string): void {
    const provider = this.#openssl.crypto.OSSL_PROVIDER_load(this.context, cText(name));
    this.rethrow();
    this.#openssl.expect(provider !== 0n, `OpenSSL didn't load the provider '${name}'`);
    this.#providers.push(provider);
  }

  /** The address of the provider's init function. */
  #define(): bigint {
    const { ffi } = this.#openssl;
    const tables = this.#tables;
    const guarded = <const S extends Signature>(types: S, handler: NativeHandler<S>) =>
      tables.callback(types, this.#guard(types, handler));
    const keys = new KeyManagement(this.#params, tables, guarded, (n) => this.#signers.get(n));
    const signatures = new Signatures(this.#openssl, this.#params, tables, guarded, keys);
    const properties = `provider=${NAME}`;
    const keyManagement = tables.algorithms([
      [RSA, properties, keys.rsa],
      [EC, properties, keys.ec],
    ]);
    const signing = tables.algorithms([
      [RSA, properties, signatures.table],
      ["ECDSA", properties, signatures.table],
    ]);
    const query = guarded(
      signature("address", "address", "i32", "address"),
      (_provider, operation) =>
        operation === OP_KEYMGMT ? keyManagement : operation === OP_SIGNATURE ? signing : 0n,
    );
    const dispatch = tables.dispatch([[FUNC_PROVIDER_QUERY_OPERATION, query]]);
    return guarded(
      signature("i32", "address", "address", "address", "address"),
      (handle, _core, out, provider) => {
        ffi.write(out, tables.pointer(dispatch));
        ffi.write(provider, tables.pointer(handle));
        return 1;
      },
    );
  }

  /** `handler` as C may call it: an exception is kept, and C is told of a failure. */
  #guard<const S extends Signature>(types: S, handler: NativeHandler<S>): NativeHandler<S> {
    const failed = types.returns === "address" ? 0n : 0;
    const guarded = (...values: Parameters<NativeHandler<S>>) => {
      try {
        return handler(...values);
      } catch (reason) {
        this.#failure ??= { reason };
        return failed;
      }
    };
    return guarded as NativeHandler<S>;
  }
}

/** An `EVP_PKEY` of a provider. */
export interface NativeKey {
  readonly handle: number;
  readonly address: bigint;
}
