/**
 * Keys in CNG: operations over the functions of `ncrypt.dll`. No handle outlives its operation.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { type Bytes, equalBytes } from "../../src/encoding.ts";
import type { KeyContainer, SignatureScheme } from "../../src/keys.ts";
import { ecdsaSignatureToDer } from "../../src/x509/ecdsa.ts";
import { BLOB, NCRYPT, PROPERTY } from "./constants.ts";
import type { NcryptFunctions } from "./functions.ts";
import type { Call, Operation } from "../ffi/operation.ts";
import { hashSigning } from "./padding.ts";
import { blobType, spkiOfBlob } from "./public_key.ts";
import { classOf, StatusError } from "./status.ts";
import type { WindowsSystem } from "./system.ts";
import { fromWide, wide } from "../ffi/wide_text.ts";
import type { CngAlgorithm, Tier } from "./tiers.ts";

/** Names a key: what {@linkcode KeyContainer} says of a key in CNG. */
export type KeyPlace = Pick<KeyContainer, "container" | "provider" | "machine">;

/** A key that is open. */
export interface OpenKey {
  /** Its `NCRYPT_KEY_HANDLE`. */
  readonly handle: bigint;
  /** Gives the handles back; a key's own is gone once the key was deleted. */
  close(isDeleted?: boolean): void;
}

/** What is read of keys is never longer: an RSA key of 16,384 bits has 2 KiB. */
const MAX_SIZE = 4096;

/** `NTE_BAD_KEYSET`: what is said of a key whose place another one has taken. */
const BAD_KEYSET = 0x80090016;

type Name = keyof NcryptFunctions;

/** Keys in CNG. */
export class Cng {
  readonly #system: Pick<WindowsSystem, "ncrypt" | "memory">;

  /** Over these functions. */
  constructor(system: Pick<WindowsSystem, "ncrypt" | "memory">) {
    this.#system = system;
  }

  /** Opens the key in this place; the caller closes it. */
  *open({ container, provider, machine }: KeyPlace): Operation<OpenKey> {
    return yield* this.#openIn(provider, (storage, out) => {
      const flags = NCRYPT.SILENT | (machine ? NCRYPT.MACHINE_KEY : 0);
      return this.#call("NCryptOpenKey", storage, out, wide(container), 0, flags);
    });
  }

  /**
   * Makes a key in place of any that is there. `beforeReplacing` may throw while nothing has
   * happened yet. The caller closes it.
   */
  *create(
    { container, machine }: KeyPlace,
    { provider, flags, usage }: Tier,
    { name, length }: CngAlgorithm,
    beforeReplacing: () => void,
  ): Operation<OpenKey> {
    const key = yield* this.#openIn(provider, (storage, out) => {
      const all = flags | NCRYPT.OVERWRITE_KEY | (machine ? NCRYPT.MACHINE_KEY : 0);
      const place = wide(container);
      return this.#call("NCryptCreatePersistedKey", storage, out, wide(name), place, 0, all);
    });
    try {
      if (length !== undefined) yield* this.#set(key.handle, PROPERTY.LENGTH, length);
      yield* this.#set(key.handle, PROPERTY.EXPORT_POLICY, 0);
      yield* this.#set(key.handle, PROPERTY.KEY_USAGE, usage);
      beforeReplacing();
      yield* this.#call("NCryptFinalizeKey", key.handle, NCRYPT.SILENT);
      return key;
    } catch (error) {
      key.close();
      throw error;
    }
  }

  /** Destroys the key in this place; with `spki`, only that one. */
  *remove(place: KeyPlace, spki?: Bytes): Operation<void> {
    const key = yield* this.open(place);
    let isDeleted = false;
    try {
      if (spki !== undefined) yield* this.confirm(key.handle, spki);
      yield* this.#call("NCryptDeleteKey", key.handle, NCRYPT.SILENT);
      isDeleted = true;
    } finally {
      key.close(isDeleted);
    }
  }

  /** The public half, DER SubjectPublicKeyInfo. */
  *publicKey(handle: bigint): Operation<Bytes> {
    const group = yield* this.#property(handle, PROPERTY.ALGORITHM_GROUP);
    return spkiOfBlob(yield* this.#export(handle, fromWide(group) === "RSA" ? BLOB.RSA : BLOB.ECC));
  }

  /** Whether the key is in the isolated user mode of VBS. */
  *isIsolated(handle: bigint): Operation<boolean> {
    try {
      const value = yield* this.#property(handle, PROPERTY.VIRTUAL_ISOLATION);
      return value.length > 0 && value[0] !== 0;
    } catch (error) {
      if (error instanceof StatusError) return false;
      throw error;
    }
  }

  /** Throws what is said of an absent key where the open one isn't that of `spki`. */
  *confirm(handle: bigint, spki: Bytes): Operation<void> {
    let isSame = false;
    try {
      isSame = equalBytes(spkiOfBlob(yield* this.#export(handle, blobType(spki))), spki);
    } catch (error) {
      // A key of another kind isn't exported in this format.
      if (["denied", "unreachable"].includes(classOf(error) ?? "")) throw error;
    }
    if (!isSame) throw new StatusError("NCryptExportKey", BAD_KEYSET);
  }

  /** A signature over `data`, in the form of TLS. */
  *sign(handle: bigint, scheme: SignatureScheme, data: Uint8Array): Operation<Bytes> {
    const { memory } = this.#system;
    const at = (bytes: Uint8Array) => memory.addressOf(bytes);
    const { digest, padding, flags } = hashSigning(scheme, memory.platform, at);
    const hash = new Uint8Array(createHash(digest).update(data).digest());
    const out = new Uint8Array(MAX_SIZE);
    const size = new Uint8Array(4);
    const [length, capacity] = [hash.length, out.length];
    yield* this.#call(
      "NCryptSignHash",
      handle,
      padding,
      hash,
      length,
      out,
      capacity,
      size,
      flags,
    );
    const signature = out.slice(0, dword(size));
    return padding === null ? ecdsaSignatureToDer(signature) : signature;
  }

  *#openIn(
    provider: string,
    open: (storage: bigint, out: Bytes) => Operation<void>,
  ): Operation<OpenKey> {
    const out = new Uint8Array(8);
    yield* this.#call("NCryptOpenStorageProvider", out, wide(provider), 0);
    const storage = handleOf(out);
    try {
      yield* open(storage, out);
    } catch (error) {
      this.#free(storage);
      throw error;
    }
    const handle = handleOf(out);
    const close = (isDeleted = false) => {
      if (!isDeleted) this.#free(handle);
      this.#free(storage);
    };
    return { handle, close };
  }

  *#set(handle: bigint, property: string, value: number): Operation<void> {
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setUint32(0, value, true);
    yield* this.#call("NCryptSetProperty", handle, wide(property), bytes, 4, NCRYPT.SILENT);
  }

  *#property(handle: bigint, property: string): Operation<Bytes> {
    const [out, size] = [new Uint8Array(MAX_SIZE), new Uint8Array(4)];
    const name = wide(property);
    yield* this.#call("NCryptGetProperty", handle, name, out, out.length, size, NCRYPT.SILENT);
    return out.slice(0, dword(size));
  }

  *#export(handle: bigint, type: string): Operation<Bytes> {
    const [out, size] = [new Uint8Array(MAX_SIZE), new Uint8Array(4)];
    const format = wide(type);
    yield* this.#call("NCryptExportKey", handle, 0n, format, 0n, out, out.length, size, 0);
    return out.slice(0, dword(size));
  }

  *#call<N extends Name>(name: N, ...values: Parameters<NcryptFunctions[N]>): Operation<void> {
    const native = this.#system.ncrypt[name] as unknown as Native;
    const failure = (status: number) => status === 0 ? undefined : new StatusError(name, status);
    const call: Call = {
      here: () => failure(native(...values)),
      elsewhere: async () => failure(await native.threaded(...values)),
    };
    yield call;
  }

  /** There is nothing to be done about one that can't be given back. */
  #free(handle: bigint): void {
    this.#system.ncrypt.NCryptFreeObject(handle);
  }
}

interface Native {
  (...values: readonly unknown[]): number;
  threaded(...values: readonly unknown[]): Promise<number>;
}

function handleOf(out: Bytes): bigint {
  return new DataView(out.buffer).getBigUint64(0, true);
}

function dword(bytes: Bytes): number {
  return Math.min(new DataView(bytes.buffer).getUint32(0, true), MAX_SIZE);
}
