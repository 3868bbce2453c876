/**
 * What the connections of one credential have in common: an `SSL_CTX`.
 *
 * @module
 */

import type { Bytes } from "../../src/encoding.ts";
import { KeyboundError } from "../../src/errors.ts";
import type { SignatureScheme } from "../../src/keys.ts";
import type { TlsVersion } from "../../src/transports.ts";
import { cText, type Openssl } from "./openssl.ts";
import type { NativeKey, SigningProvider } from "./provider.ts";
import type { SignNow } from "./provider_keys.ts";

/** Plain data, so that it can be sent to a worker. */
export interface ContextSettings {
  /** DER certificates of the client, leaf first. */
  readonly chain: readonly Bytes[];
  /** DER SubjectPublicKeyInfo of the leaf. */
  readonly spki: Bytes;
  /** What the key can sign, best first. */
  readonly schemes: readonly SignatureScheme[];
  /** DER of the trust anchors; those of OpenSSL's own directory without. */
  readonly ca?: readonly Bytes[];
  readonly minVersion: TlsVersion;
  readonly maxVersion: TlsVersion;
}

const VERSIONS: Readonly<Record<TlsVersion, bigint>> = { "TLSv1.2": 0x0303n, "TLSv1.3": 0x0304n };

/** Commands of `SSL_CTX_ctrl` (`openssl/ssl.h`). */
const CTRL_MODE = 33;
const CTRL_SET_READ_AHEAD = 41;
const CTRL_CHAIN_CERT = 89;
const CTRL_SET_CLIENT_SIGALGS_LIST = 102;
const CTRL_SET_MIN_PROTO_VERSION = 123;
const CTRL_SET_MAX_PROTO_VERSION = 124;

/** `SSL_MODE_AUTO_RETRY | SSL_MODE_RELEASE_BUFFERS`. */
const MODE = 0x4n | 0x10n;
const VERIFY_PEER = 1;
const OP_NO_RENEGOTIATION = 1n << 30n;
/** Several records at a time are taken out of what has come. */
const READ_BUFFER = 65_536n;

const NO_TEXT = new Uint8Array(0);

const ALPN = new TextEncoder().encode("\x08http/1.1");

/**
 * The versions that a key can be used with. Under TLS 1.3 there is no RSA signature but PSS
 * (RFC 8446 section 4.2.3). Throws `unsupported_scheme` where none is left.
 */
export function usableVersions(
  schemes: readonly SignatureScheme[],
  { minVersion, maxVersion }: { minVersion: TlsVersion; maxVersion: TlsVersion },
): { minVersion: TlsVersion; maxVersion: TlsVersion } {
  if (schemes.some((scheme) => !scheme.startsWith("rsa_pkcs1"))) return { minVersion, maxVersion };
  if (minVersion === "TLSv1.2") return { minVersion, maxVersion: "TLSv1.2" };
  throw new KeyboundError(
    "unsupported_scheme",
    "The key makes PKCS#1 signatures only, which TLS 1.3 has no use for. Allow TLS 1.2.",
  );
}

/** Certificate, key and rules of a client. One thread makes and frees it. */
export class Context {
  /** The `SSL_CTX`. */
  readonly address: bigint;
  readonly #openssl: Openssl;
  readonly #provider: SigningProvider;
  #key: NativeKey | undefined;

  /**
   * Throws `unsupported_key`, `unsupported_scheme`, or what OpenSSL has to say of the certificates.
   */
  constructor(
    openssl: Openssl,
    provider: SigningProvider,
    settings: ContextSettings,
    signNow: SignNow,
  ) {
    const { crypto, ssl } = openssl;
    const { context } = provider;
    this.#openssl = openssl;
    this.#provider = provider;
    crypto.ERR_clear_error();
    this.address = openssl.taken(
      "context",
      ssl.SSL_CTX_new_ex(context, null, ssl.TLS_client_method()),
    );
    try {
      this.#setRules(settings);
      this.#trust(settings.ca);
      this.#present(settings, signNow);
    } catch (error) {
      this.free();
      throw error;
    }
  }

  /** Frees it. Its connections must have been freed before. */
  free(): void {
    this.#openssl.ssl.SSL_CTX_free(this.address);
    this.#openssl.count("context", -1);
    if (this.#key === undefined) return;
    this.#provider.freeKey(this.#key);
    this.#openssl.count("key", -1);
  }

  #setRules({ schemes, ...range }: ContextSettings): void {
    const { ssl } = this.#openssl;
    const { minVersion, maxVersion } = usableVersions(schemes, range);
    ssl.SSL_CTX_set_verify(this.address, VERIFY_PEER, 0n);
    ssl.SSL_CTX_set_options(this.address, OP_NO_RENEGOTIATION);
    this.#control(CTRL_SET_MIN_PROTO_VERSION, VERSIONS[minVersion]);
    this.#control(CTRL_SET_MAX_PROTO_VERSION, VERSIONS[maxVersion]);
    this.#control(CTRL_SET_CLIENT_SIGALGS_LIST, 0n, cText(schemes.join(":")));
    ssl.SSL_CTX_ctrl(this.address, CTRL_MODE, MODE, 0n);
    ssl.SSL_CTX_ctrl(this.address, CTRL_SET_READ_AHEAD, 1n, 0n);
    ssl.SSL_CTX_set_default_read_buffer_len(this.address, READ_BUFFER);
    const refused = ssl.SSL_CTX_set_alpn_protos(this.address, ALPN, ALPN.length);
    this.#openssl.expect(refused === 0, "OpenSSL refused the protocol names");
    ssl.SSL_CTX_set_client_cert_cb(this.address, this.#provider.suspend);
  }

  #trust(ca: readonly Bytes[] | undefined): void {
    const { crypto, ssl } = this.#openssl;
    if (ca === undefined) {
      const found = ssl.SSL_CTX_set_default_verify_paths(this.address) === 1;
      this.#openssl.expect(found, "OpenSSL has no trust anchors");
      return;
    }
    const store = ssl.SSL_CTX_get_cert_store(this.address);
    for (const der of ca) {
      const certificate = this.#certificate(der);
      const added = crypto.X509_STORE_add_cert(store, certificate) === 1;
      crypto.X509_free(certificate);
      this.#openssl.expect(added, "OpenSSL refused a trust anchor");
    }
  }

  #present({ chain, spki }: ContextSettings, signNow: SignNow): void {
    const { crypto, ssl } = this.#openssl;
    const [leaf, ...issuers] = chain;
    const certificate = this.#certificate(leaf!);
    const used = ssl.SSL_CTX_use_certificate(this.address, certificate) === 1;
    crypto.X509_free(certificate);
    this.#openssl.expect(used, "OpenSSL refused the client certificate");
    for (const issuer of issuers) {
      const address = this.#certificate(issuer);
      const added = ssl.SSL_CTX_ctrl(this.address, CTRL_CHAIN_CERT, 0n, address);
      if (added !== 1n) crypto.X509_free(address);
      this.#openssl.expect(added === 1n, "OpenSSL refused a certificate of the chain");
    }
    this.#key = this.#provider.createKey(spki, signNow);
    this.#openssl.count("key", 1);
    // After the certificate: the two are compared.
    const fits = ssl.SSL_CTX_use_PrivateKey(this.address, this.#key.address) === 1;
    this.#provider.rethrow();
    this.#openssl.expect(fits, "OpenSSL refused the client's key");
  }

  #certificate(der: Bytes): bigint {
    const { crypto, ffi } = this.#openssl;
    const empty = crypto.X509_new_ex(this.#provider.context, null);
    this.#openssl.expect(empty !== 0n, "OpenSSL gave no certificate");
    const target = new BigUint64Array([empty]);
    const source = new BigUint64Array([ffi.addressOf(der)]);
    // Frees what it was given when it fails.
    const read = crypto.d2i_X509(bytesOf(target), bytesOf(source), BigInt(der.length));
    // `der` is named here so that it lives until now: `source` holds only its address.
    if (read === 0n || der.length === 0) {
      const [error] = this.#openssl.errors();
      throw new KeyboundError(
        "invalid_certificate",
        `OpenSSL can't read a certificate of the chain or of 'ca' (${error?.text ?? "no reason"}).`,
      );
    }
    return read;
  }

  #control(command: number, number: bigint, text: Uint8Array = NO_TEXT): void {
    const { ffi, ssl } = this.#openssl;
    const address = text === NO_TEXT ? 0n : ffi.addressOf(text);
    const done = ssl.SSL_CTX_ctrl(this.address, command, number, address) === 1n;
    // `text` is named here so that it lives until now.
    this.#openssl.expect(done && text.length >= 0, `OpenSSL refused setting ${command}`);
  }
}

function bytesOf(numbers: BigUint64Array<ArrayBuffer>): Uint8Array {
  return new Uint8Array(numbers.buffer);
}
