/**
 * The functions of libcrypto and libssl that are used here: public API of OpenSSL 3.0 and later.
 *
 * @module
 */

import type { NativeFunction, NativeLibrary, NativeType, ReturnType } from "../ffi/mod.ts";

/** What each returns, then what it takes. */
const CRYPTO = {
  BIO_ctrl_pending: ["usize", "address"],
  BIO_free: ["i32", "address"],
  BIO_new: ["address", "address"],
  BIO_read: ["i32", "address", "buffer", "i32"],
  BIO_s_mem: ["address"],
  BIO_write: ["i32", "address", "buffer", "i32"],
  d2i_X509: ["address", "buffer", "buffer", "long"],
  ERR_clear_error: ["void"],
  ERR_error_string_n: ["void", "ulong", "buffer", "usize"],
  ERR_get_error: ["ulong"],
  ERR_pop_to_mark: ["i32"],
  ERR_set_mark: ["i32"],
  EVP_PKEY_CTX_free: ["void", "address"],
  EVP_PKEY_CTX_new_from_name: ["address", "address", "buffer", "buffer"],
  EVP_PKEY_free: ["void", "address"],
  EVP_PKEY_fromdata: ["i32", "address", "buffer", "i32", "buffer"],
  EVP_PKEY_fromdata_init: ["i32", "address"],
  EVP_set_default_properties: ["i32", "address", "buffer"],
  OpenSSL_version: ["address", "i32"],
  OpenSSL_version_num: ["ulong"],
  OSSL_LIB_CTX_free: ["void", "address"],
  OSSL_LIB_CTX_new: ["address"],
  OSSL_PROVIDER_add_builtin: ["i32", "address", "buffer", "address"],
  OSSL_PROVIDER_load: ["address", "address", "buffer"],
  OSSL_PROVIDER_unload: ["i32", "address"],
  X509_free: ["void", "address"],
  X509_new_ex: ["address", "address", "buffer"],
  X509_STORE_add_cert: ["i32", "address", "address"],
  X509_verify_cert_error_string: ["address", "long"],
  X509_VERIFY_PARAM_set1_ip_asc: ["i32", "address", "buffer"],
} as const;

const SSL = {
  SSL_ctrl: ["long", "address", "i32", "long", "address"],
  SSL_CTX_ctrl: ["long", "address", "i32", "long", "address"],
  SSL_CTX_free: ["void", "address"],
  SSL_CTX_get_cert_store: ["address", "address"],
  SSL_CTX_new_ex: ["address", "address", "buffer", "address"],
  SSL_CTX_set_alpn_protos: ["i32", "address", "buffer", "u32"],
  SSL_CTX_set_client_cert_cb: ["void", "address", "address"],
  SSL_CTX_set_default_read_buffer_len: ["void", "address", "usize"],
  SSL_CTX_set_default_verify_paths: ["i32", "address"],
  SSL_CTX_set_options: ["u64", "address", "u64"],
  SSL_CTX_set_verify: ["void", "address", "i32", "address"],
  SSL_CTX_use_certificate: ["i32", "address", "address"],
  SSL_CTX_use_PrivateKey: ["i32", "address", "address"],
  SSL_do_handshake: ["i32", "address"],
  SSL_free: ["void", "address"],
  SSL_get0_param: ["address", "address"],
  SSL_get1_session: ["address", "address"],
  SSL_get_error: ["i32", "address", "i32"],
  SSL_get_verify_result: ["long", "address"],
  SSL_new: ["address", "address"],
  SSL_read: ["i32", "address", "buffer", "i32"],
  SSL_SESSION_free: ["void", "address"],
  SSL_SESSION_get_protocol_version: ["i32", "address"],
  SSL_SESSION_is_resumable: ["i32", "address"],
  SSL_SESSION_up_ref: ["i32", "address"],
  SSL_session_reused: ["i32", "address"],
  SSL_set1_host: ["i32", "address", "buffer"],
  SSL_set_bio: ["void", "address", "address", "address"],
  SSL_set_connect_state: ["void", "address"],
  SSL_set_hostflags: ["void", "address", "u32"],
  SSL_set_session: ["i32", "address", "address"],
  SSL_shutdown: ["i32", "address"],
  SSL_write: ["i32", "address", "buffer", "i32"],
  TLS_client_method: ["address"],
} as const;

type Types = readonly [returns: ReturnType, ...takes: readonly NativeType[]];

type Bound<T extends Readonly<Record<string, Types>>> = {
  readonly [N in keyof T]: T[N] extends
    readonly [infer R extends ReturnType, ...infer P extends readonly NativeType[]]
    ? NativeFunction<{ readonly returns: R; readonly takes: P }>
    : never;
};

/** libcrypto's functions. */
export type CryptoFunctions = Bound<typeof CRYPTO>;

/** libssl's functions. */
export type SslFunctions = Bound<typeof SSL>;

/** Those of this libcrypto; throws `key_provider_unavailable` where one is missing. */
export function cryptoFunctions(library: NativeLibrary): CryptoFunctions {
  return bind(library, CRYPTO);
}

/** Those of this libssl; throws `key_provider_unavailable` where one is missing. */
export function sslFunctions(library: NativeLibrary): SslFunctions {
  return bind(library, SSL);
}

function bind<T extends Readonly<Record<string, Types>>>(
  library: NativeLibrary,
  functions: T,
): Bound<T> {
  const bound = Object.entries(functions).map(([name, [returns, ...takes]]) => [
    name,
    library.function(name, { returns, takes }),
  ]);
  return Object.fromEntries(bound) as Bound<T>;
}
