/**
 * Calls into native libraries, the same on Node, Deno and Bun: koffi behind one typed surface.
 *
 * Addresses and handles are `bigint`. Structs are bytes laid out by `layout.ts`. Who passes an
 * address on (in a struct, to a function that keeps it) keeps the bytes behind it alive.
 *
 * @module
 */

import process from "node:process";
import type { Bytes } from "../../src/encoding.ts";
import { KeyboundError } from "../../src/errors.ts";
import { bindFunction, type Koffi, koffiType } from "./koffi.ts";
import type { Platform } from "./layout.ts";
import { isWide, type NativeFunction, type NativeHandler, type Signature } from "./signature.ts";

export { type ByteField, type Fields, type FieldType, type FieldValue } from "./layout.ts";
export { fieldSize, type Layout, layout, type LayoutOptions, type StructValue } from "./layout.ts";
export { type Platform } from "./layout.ts";
export { type NativeFunction, type NativeHandler, type NativeType } from "./signature.ts";
export { type NativeValue, type NativeValues, type ReturnType } from "./signature.ts";
export { type Signature, signature } from "./signature.ts";

/** A native library that was loaded. */
export interface NativeLibrary {
  /** Its path or name, as it was given. */
  readonly path: string;
  /** The function of this name; throws `key_provider_unavailable` where there is none. */
  function<const S extends Signature>(name: string, signature: S): NativeFunction<S>;
  /** Whether it has a function of this name. */
  has(name: string): boolean;
}

/** A JavaScript function that C can call. */
export interface NativeCallback {
  /** The function pointer. */
  readonly address: bigint;
  /** Gives the pointer back; C must not call it any more. */
  close(): void;
}

/** Native libraries, functions and memory. */
export interface Ffi {
  /** The sizes of this platform's C types. */
  readonly platform: Platform;
  /**
   * Loads a library by path or, where the system finds it, by name. It binds to its own symbols
   * before those of the runtime (`RTLD_DEEPBIND` on Linux), or libcrypto's would be Node's. It stays
   * loaded: threads that it started may still run, and handlers for the process's end.
   *
   * Throws `key_provider_unavailable` where it can't be loaded.
   */
  open(path: string): NativeLibrary;
  /** The function at this address. */
  functionAt<const S extends Signature>(address: bigint, signature: S): NativeFunction<S>;
  /**
   * `handler` as a function pointer. It must not throw: C would get 0 and nobody the error. Where C
   * calls it from another thread, it runs on this one and that one waits.
   */
  callback<const S extends Signature>(signature: S, handler: NativeHandler<S>): NativeCallback;
  /** The address of these bytes: valid as long as somebody holds on to them. */
  addressOf(bytes: Uint8Array): bigint;
  /** A copy of `length` bytes at this address. */
  read(address: bigint, length: number): Bytes;
  /** Writes the bytes at this address. */
  write(address: bigint, bytes: Uint8Array): void;
  /** The UTF-8 text at this address, up to its zero byte, at most `limit` bytes. @default 4096 */
  readText(address: bigint, limit?: number): string;
}

/** One for all of a thread: koffi never frees a prototype, so each is to be made once. */
let loaded: Ffi | undefined;

/**
 * Loads koffi, once a thread. Rejects with `missing_dependency` where it isn't installed, and
 * `key_provider_unavailable` where the runtime doesn't let it in.
 */
export async function loadFfi(): Promise<Ffi> {
  const koffi = await loadKoffi();
  return loaded ??= ffiOf(koffi);
}

async function loadKoffi(): Promise<Koffi> {
  try {
    return (await import("koffi")).default;
  } catch (cause) {
    throw isRefusal(cause)
      ? new KeyboundError(
        "key_provider_unavailable",
        "The runtime doesn't let this program call native libraries. Start Deno with --allow-ffi and " +
          "--allow-read, or Node without --permission and --no-addons.",
        { cause },
      )
      : new KeyboundError(
        "missing_dependency",
        "Keys behind native libraries need one more package: npm install koffi.",
        { cause },
      );
  }
}

function isRefusal(error: unknown): boolean {
  const { name = "", code = "", message = "" } = error as Record<string, string | undefined>;
  return name === "NotCapable" || /^ERR_(ACCESS_DENIED|DLOPEN_DISABLED)$/.test(code) ||
    /allow-ffi|allow-addons/.test(message);
}

function ffiOf(koffi: Koffi): Ffi {
  const platform = {
    pointer: koffi.sizeof("void *") as 4 | 8,
    long: koffi.sizeof("long") as 4 | 8,
  };
  const prototypes = new Map<string, ReturnType<Koffi["proto"]>>();
  const prototype = ({ returns, takes }: Signature) => {
    const name = `${returns}(${takes.join()})`;
    const known = prototypes.get(name) ?? koffi.proto(koffiType(returns), takes.map(koffiType));
    prototypes.set(name, known);
    return known;
  };
  /** By path. koffi unloads one that nobody holds, and a call into it would end the process. */
  const libraries = new Map<string, NativeLibrary>();
  return {
    platform,
    open(path) {
      const library = libraries.get(path) ?? openLibrary(koffi, path);
      libraries.set(path, library);
      return library;
    },
    functionAt: (address, signature) =>
      bindFunction(koffi.decode(address, prototype(signature)), signature),
    callback(signature, handler) {
      const wide = signature.takes.map(isWide);
      const call = (...values: (number | bigint)[]) =>
        (handler as (...values: unknown[]) => unknown)(
          ...values.map((value, i) => wide[i] ? BigInt(value) : value),
        );
      const address = koffi.register(call, koffi.pointer(prototype(signature)));
      return { address, close: () => koffi.unregister(address) };
    },
    addressOf: (bytes) => koffi.address(bytes),
    read: (address, length) =>
      length === 0 ? new Uint8Array(0) : new Uint8Array(koffi.view(address, length)).slice(),
    write(address, bytes) {
      if (bytes.length > 0) new Uint8Array(koffi.view(address, bytes.length)).set(bytes);
    },
    readText(address, limit = 4096) {
      let end = 0;
      // Byte by byte: what follows the zero may not be readable.
      while (end < limit && koffi.decode.uint8(address + BigInt(end)) !== 0) end++;
      return new TextDecoder().decode(this.read(address, end));
    },
  };
}

function openLibrary(koffi: Koffi, path: string): NativeLibrary {
  const missing = (what: string, cause: unknown) =>
    new KeyboundError("key_provider_unavailable", what, { cause });
  try {
    const library = koffi.load(path, { deep: process.platform === "linux" });
    return {
      path,
      function(name, signature) {
        try {
          const { returns, takes } = signature;
          const raw = library.func(name, koffiType(returns), takes.map(koffiType));
          return bindFunction(raw, signature);
        } catch (cause) {
          throw missing(`The library '${path}' has no function '${name}'.`, cause);
        }
      },
      has(name) {
        try {
          return library.symbol(name) !== null;
        } catch {
          return false;
        }
      },
    };
  } catch (cause) {
    throw missing(
      `The library '${path}' can't be loaded. Check its path and that of what it needs.`,
      cause,
    );
  }
}
