/**
 * Keys in CAPI containers (advapi32.dll): the only named, non-exportable keys that Wine has.
 *
 * @module
 */

import { createPublicKey } from "node:crypto";
import { type Ffi, loadFfi, signature } from "../../../backends/ffi/mod.ts";
import { base64url, concat } from "../../../src/encoding.ts";
import { KeyboundError } from "../../../src/errors.ts";
import type { InKeyContainer, SignatureScheme, SigningKey } from "../../../src/keys.ts";

const PROVIDER = "Microsoft Enhanced RSA and AES Cryptographic Provider";
/** `PROV_RSA_AES`, `AT_KEYEXCHANGE`, `PUBLICKEYBLOB`, `PRIVATEKEYBLOB`. */
const PROV_RSA_AES = 24;
const KEY_EXCHANGE = 1;
const PUBLIC_BLOB = 6;
const PRIVATE_BLOB = 7;
const NEW_KEYSET = 0x8;
const DELETE_KEYSET = 0x10;
const RSA_2048 = 2048 << 16;

/** A key that Windows signs with; `sign` of its own has no use in TLS by SChannel. */
export type CapiKey = SigningKey & InKeyContainer;

/** Makes keys and takes them away again. */
export class CapiKeys {
  readonly #functions: ReturnType<typeof functionsOf>;
  readonly #containers: string[] = [];

  private constructor(ffi: Ffi) {
    this.#functions = functionsOf(ffi);
  }

  /** Loads advapi32.dll. */
  static async load(): Promise<CapiKeys> {
    return new CapiKeys(await loadFfi());
  }

  /** A new RSA key of 2048 bits, not exportable. */
  create(schemes: readonly SignatureScheme[]): CapiKey {
    const container = `keybound-test-${crypto.randomUUID()}`;
    const { CryptGenKey, CryptDestroyKey, CryptReleaseContext } = this.#functions;
    const provider = this.#acquire(container, NEW_KEYSET);
    this.#containers.push(container);
    const key = new Uint8Array(8);
    try {
      expect(CryptGenKey(provider, KEY_EXCHANGE, RSA_2048, key), "CryptGenKey");
      if (this.#export(pointer(key), PRIVATE_BLOB) !== undefined) {
        throw new Error("The private key can be exported.");
      }
      const spki = spkiOf(this.#export(pointer(key), PUBLIC_BLOB)!);
      CryptDestroyKey(pointer(key));
      return {
        id: container,
        strength: "software",
        spki,
        schemes,
        sign: () =>
          Promise.reject(new KeyboundError("key_unusable", "SChannel signs, not this method.")),
        keyContainer: {
          container,
          provider: PROVIDER,
          providerType: PROV_RSA_AES,
          keySpec: KEY_EXCHANGE,
          machine: false,
        },
      };
    } finally {
      CryptReleaseContext(provider, 0);
    }
  }

  /** Destroys a key behind the back of whoever uses it. */
  remove(container: string): void {
    this.#acquire(container, DELETE_KEYSET);
    this.#containers.splice(this.#containers.indexOf(container), 1);
  }

  /** Destroys all that were made. */
  removeAll(): void {
    for (const container of [...this.#containers]) this.remove(container);
  }

  #acquire(container: string, flags: number): bigint {
    const handle = new Uint8Array(8);
    const { CryptAcquireContextW } = this.#functions;
    const done = CryptAcquireContextW(handle, wide(container), wide(PROVIDER), PROV_RSA_AES, flags);
    expect(done, "CryptAcquireContext");
    return pointer(handle);
  }

  #export(key: bigint, type: number): Uint8Array | undefined {
    const blob = new Uint8Array(4096);
    const length = new Uint8Array(new Uint32Array([blob.length]).buffer);
    const done = this.#functions.CryptExportKey(key, 0n, type, 0, blob, length);
    return done === 0
      ? undefined
      : blob.subarray(0, new DataView(length.buffer).getUint32(0, true));
  }
}

function functionsOf(ffi: Ffi) {
  const library = ffi.open("advapi32.dll");
  return {
    CryptAcquireContextW: library.function(
      "CryptAcquireContextW",
      signature("i32", "buffer", "buffer", "buffer", "u32", "u32"),
    ),
    CryptGenKey: library.function(
      "CryptGenKey",
      signature("i32", "address", "u32", "u32", "buffer"),
    ),
    CryptExportKey: library.function(
      "CryptExportKey",
      signature("i32", "address", "address", "u32", "u32", "buffer", "buffer"),
    ),
    CryptDestroyKey: library.function("CryptDestroyKey", signature("i32", "address")),
    CryptReleaseContext: library.function(
      "CryptReleaseContext",
      signature("i32", "address", "u32"),
    ),
  };
}

/** `RSAPUBKEY` after a `BLOBHEADER` (`wincrypt.h`), the modulus little-endian. */
function spkiOf(blob: Uint8Array): SigningKey["spki"] {
  const view = new DataView(blob.buffer, blob.byteOffset, blob.byteLength);
  const bits = view.getUint32(12, true);
  const exponent = new Uint8Array(4);
  new DataView(exponent.buffer).setUint32(0, view.getUint32(16, true));
  const modulus = blob.slice(20, 20 + bits / 8).reverse();
  const key = {
    kty: "RSA",
    n: base64url(modulus),
    e: base64url(exponent.subarray(exponent.findIndex((octet) => octet !== 0))),
  };
  return concat(createPublicKey({ key, format: "jwk" }).export({ type: "spki", format: "der" }));
}

function pointer(bytes: Uint8Array): bigint {
  return new DataView(bytes.buffer).getBigUint64(0, true);
}

function wide(text: string): Uint8Array {
  return new Uint8Array(Uint16Array.from(`${text}\0`, (unit) => unit.charCodeAt(0)).buffer);
}

function expect(done: number, what: string): void {
  if (done === 0) throw new Error(`${what} failed.`);
}
