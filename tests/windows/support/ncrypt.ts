/**
 * `ncrypt.dll`, simulated.
 *
 * @module
 */

import type { NcryptFunctions } from "../../../backends/windows/functions.ts";
import type { Bytes } from "../../../src/encoding.ts";
import { p256Pair, type Padding, rsaPair, type SimulatedKeyPair } from "./key_pair.ts";
import type { KeptKey, SimulatedMachine } from "./machine.ts";
import { native, type SimulatedMemory, wideOf } from "./memory.ts";

const OK = 0;
const BAD_FLAGS = 0x80090009 | 0;
const BAD_KEY_STATE = 0x8009000b | 0;
const EXISTS = 0x8009000f | 0;
const BAD_KEYSET = 0x80090016 | 0;
const INVALID_HANDLE = 0x80090026 | 0;
const NOT_SUPPORTED = 0x80090029 | 0;
const NOT_READY = 0x80090030 | 0;
const NOT_FOUND = 0x80090035 | 0;
const NO_VBS = 0x80890014 | 0;

const SOFTWARE = "Microsoft Software Key Storage Provider";
const PLATFORM = "Microsoft Platform Crypto Provider";
const [MACHINE_KEY, SILENT, OVERWRITE, ISOLATED, PER_BOOT] = [0x20, 0x40, 0x80, 0x20000, 0x40000];

interface OpenKey {
  readonly type: "key";
  readonly name: string;
  readonly provider: string;
  readonly algorithm: string;
  readonly flags: number;
  readonly properties: Map<string, number>;
  kept: KeptKey | undefined;
}

interface OpenProvider {
  readonly type: "provider";
  readonly name: string;
}

/** The functions of one process. */
export class SimulatedNcrypt {
  readonly #machine: SimulatedMachine;
  readonly #memory: SimulatedMemory;
  /** What is open. */
  readonly handles: Map<bigint, OpenKey | OpenProvider> = new Map();
  #next = 0x1000n;

  constructor(machine: SimulatedMachine, memory: SimulatedMemory) {
    this.#machine = machine;
    this.#memory = memory;
  }

  readonly functions: NcryptFunctions = {
    NCryptOpenStorageProvider: native((out: Uint8Array, name: Uint8Array) =>
      this.#attempt("NCryptOpenStorageProvider", () => {
        const provider = wideOf(name);
        if (provider !== SOFTWARE && provider !== PLATFORM) return NOT_SUPPORTED;
        return this.#give(out, { type: "provider", name: provider });
      })
    ),

    NCryptCreatePersistedKey: native(
      (
        storage: bigint,
        out: Uint8Array,
        alg: Uint8Array,
        name: Uint8Array,
        spec: number,
        flags: number,
      ) =>
        this.#attempt("NCryptCreatePersistedKey", () => {
          const provider = this.#provider(storage);
          const known = MACHINE_KEY | OVERWRITE | ISOLATED | PER_BOOT;
          if (provider === undefined || spec !== 0) return INVALID_HANDLE;
          if ((flags & ~known) !== 0) return BAD_FLAGS;
          const missing = this.#missing(provider);
          if (missing !== OK) return missing;
          const algorithm = wideOf(alg);
          if (!["RSA", "ECDSA_P256"].includes(algorithm)) return NOT_SUPPORTED;
          const exists = this.#machine.keys.has(place(provider, wideOf(name), flags));
          if (exists && (flags & OVERWRITE) === 0) return EXISTS;
          return this.#give(out, {
            type: "key",
            name: wideOf(name),
            provider,
            algorithm,
            flags,
            properties: new Map(),
            kept: undefined,
          });
        }),
    ),

    NCryptOpenKey: native(
      (storage: bigint, out: Uint8Array, name: Uint8Array, spec: number, flags: number) =>
        this.#attempt("NCryptOpenKey", () => {
          const provider = this.#provider(storage);
          if (provider === undefined || spec !== 0) return INVALID_HANDLE;
          if ((flags & ~(MACHINE_KEY | SILENT)) !== 0) return BAD_FLAGS;
          const missing = this.#missing(provider);
          if (missing !== OK) return missing;
          const kept = this.#machine.keys.get(place(provider, wideOf(name), flags));
          if (kept === undefined) return BAD_KEYSET;
          const properties = new Map(kept.properties);
          return this.#give(out, { type: "key", ...kept, properties, kept });
        }),
    ),

    NCryptSetProperty: native(
      (handle: bigint, name: Uint8Array, value: Uint8Array, length: number) =>
        this.#attempt("NCryptSetProperty", () => {
          const key = this.#key(handle);
          if (key === undefined) return INVALID_HANDLE;
          if (key.kept !== undefined) return BAD_KEY_STATE;
          const property = wideOf(name);
          if (!["Length", "Export Policy", "Key Usage"].includes(property) || length !== 4) {
            return NOT_SUPPORTED;
          }
          key.properties.set(property, dword(value));
          return OK;
        }),
    ),

    NCryptGetProperty: native(
      (handle: bigint, name: Uint8Array, out: Uint8Array, capacity: number, size: Uint8Array) =>
        this.#attempt("NCryptGetProperty", () => {
          const key = this.#key(handle);
          if (key?.kept === undefined) return INVALID_HANDLE;
          switch (wideOf(name)) {
            case "Algorithm Group":
              return this.#fill(wide(key.kept.pair.group), out, capacity, size);
            case "Virtual Iso":
              if ((key.kept.flags & ISOLATED) === 0) return NOT_SUPPORTED;
              return this.#fill(Uint8Array.of(1, 0, 0, 0), out, capacity, size);
            default:
              return NOT_SUPPORTED;
          }
        }),
    ),

    NCryptFinalizeKey: native((handle: bigint, flags: number) =>
      this.#attempt("NCryptFinalizeKey", () => {
        const key = this.#key(handle);
        if (key === undefined) return INVALID_HANDLE;
        if (key.kept !== undefined) return BAD_KEY_STATE;
        if (flags !== SILENT) return BAD_FLAGS;
        const isIsolated = (key.flags & ISOLATED) !== 0;
        if (isIsolated && !this.#machine.options.vbs) return NO_VBS;
        const length = key.properties.get("Length") ?? 2048;
        if (key.provider === PLATFORM && length > 2048) return NOT_SUPPORTED;
        const pair: SimulatedKeyPair = key.algorithm === "RSA" ? rsaPair(length) : p256Pair();
        const { name, provider, algorithm, flags: made, properties } = key;
        const { boot } = this.#machine;
        key.kept = { pair, name, provider, algorithm, flags: made, properties, boot };
        this.#machine.keys.set(place(provider, name, made), key.kept);
        return OK;
      })
    ),

    NCryptExportKey: native((
      handle: bigint,
      wrapping: bigint,
      type: Uint8Array,
      parameters: bigint,
      out: Uint8Array,
      capacity: number,
      size: Uint8Array,
    ) =>
      this.#attempt("NCryptExportKey", () => {
        const key = this.#key(handle);
        if (key?.kept === undefined || wrapping !== 0n || parameters !== 0n) return INVALID_HANDLE;
        const { pair } = key.kept;
        const expected = pair.group === "RSA" ? "RSAPUBLICBLOB" : "ECCPUBLICBLOB";
        if (wideOf(type) !== expected) return NOT_SUPPORTED;
        return this.#fill(pair.publicBlob, out, capacity, size);
      })
    ),

    NCryptSignHash: native((
      handle: bigint,
      info: Uint8Array | null,
      digest: Uint8Array,
      length: number,
      out: Uint8Array,
      capacity: number,
      size: Uint8Array,
      flags: number,
    ) =>
      this.#attempt("NCryptSignHash", () => {
        const key = this.#key(handle);
        if (key?.kept === undefined) return INVALID_HANDLE;
        const { pair, boot, provider } = key.kept;
        if ((key.kept.flags & PER_BOOT) !== 0 && boot !== this.#machine.boot) {
          return this.#machine.deadStatus | 0;
        }
        const padding = this.#padding(info, flags);
        if (padding === undefined || (padding.type === "none") !== (pair.group === "ECDSA")) {
          return BAD_FLAGS;
        }
        const isOfTls = padding.type !== "pss" || this.#machine.options.tpmPss;
        if (provider === PLATFORM && !isOfTls) return NOT_SUPPORTED;
        const hash = Uint8Array.from(digest.subarray(0, length));
        return this.#fill(pair.sign(hash, padding), out, capacity, size);
      })
    ),

    NCryptDeleteKey: native((handle: bigint) =>
      this.#attempt("NCryptDeleteKey", () => {
        const key = this.#key(handle);
        if (key?.kept === undefined) return INVALID_HANDLE;
        this.#machine.keys.delete(place(key.provider, key.name, key.flags));
        this.handles.delete(handle);
        return OK;
      })
    ),

    NCryptFreeObject: native((handle: bigint) =>
      this.#attempt(
        "NCryptFreeObject",
        () => this.handles.delete(handle) ? OK : INVALID_HANDLE,
      )
    ),
  };

  #attempt(name: string, work: () => number): number {
    const fault = this.#machine.faultOf(name);
    return fault === OK ? work() : fault;
  }

  #provider(handle: bigint): string | undefined {
    const object = this.handles.get(handle);
    return object?.type === "provider" ? object.name : undefined;
  }

  #key(handle: bigint): OpenKey | undefined {
    const object = this.handles.get(handle);
    return object?.type === "key" ? object : undefined;
  }

  #missing(provider: string): number {
    const { tpm } = this.#machine.options;
    if (provider === SOFTWARE || tpm === "ready") return OK;
    return tpm === "absent" ? NOT_FOUND : NOT_READY;
  }

  #give(out: Uint8Array, object: OpenKey | OpenProvider): number {
    const handle = this.#next++;
    this.handles.set(handle, object);
    new DataView(out.buffer, out.byteOffset).setBigUint64(0, handle, true);
    return OK;
  }

  #fill(value: Uint8Array, out: Uint8Array, capacity: number, size: Uint8Array): number {
    new DataView(size.buffer, size.byteOffset).setUint32(0, value.length, true);
    if (capacity < value.length) return 0x80090028 | 0;
    out.set(value);
    return OK;
  }

  /** `BCRYPT_PSS_PADDING_INFO` or `BCRYPT_PKCS1_PADDING_INFO`, by the flags. */
  #padding(info: Uint8Array | null, flags: number): Padding | undefined {
    if ((flags & SILENT) === 0) return undefined;
    const mode = flags & ~SILENT;
    if (mode === 0) return info === null ? { type: "none" } : undefined;
    if (info === null) return undefined;
    const view = new DataView(info.buffer, info.byteOffset);
    const digest = this.#memory.wideText(view.getBigUint64(0, true));
    if (mode === 2) return { type: "pkcs1", digest };
    return mode === 8 ? { type: "pss", digest, salt: view.getUint32(8, true) } : undefined;
  }
}

function place(provider: string, name: string, flags: number): string {
  return `${(flags & MACHINE_KEY) !== 0} ${provider} ${name.toLowerCase()}`;
}

function wide(text: string): Bytes {
  return new Uint8Array(Uint16Array.from(`${text}\0`, (c) => c.charCodeAt(0)).buffer);
}

function dword(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
}
