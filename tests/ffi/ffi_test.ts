/**
 * Calls into the C library of the system.
 *
 * @module
 */

import assert from "node:assert/strict";
import process from "node:process";
import { describe, it } from "node:test";
import { type Ffi, loadFfi, type NativeLibrary, signature } from "../../backends/ffi/mod.ts";
import { utf8 } from "../../src/encoding.ts";
import { isKeyboundError } from "../../src/errors.ts";

const LIBRARY = process.platform === "win32"
  ? "ucrtbase.dll"
  : process.platform === "darwin"
  ? "libSystem.B.dylib"
  : "libc.so.6";

const STRLEN = signature("usize", "buffer");
const STRLEN_AT = signature("usize", "address");
const QSORT = signature("void", "buffer", "usize", "usize", "address");
const COMPARE = signature("i32", "address", "address");

async function libc(): Promise<[Ffi, NativeLibrary]> {
  const ffi = await loadFfi();
  return [ffi, ffi.open(LIBRARY)];
}

describe("ffi", () => {
  const unavailable = (error: unknown) => isKeyboundError(error, "key_provider_unavailable");

  it("says which library can't be loaded", async () => {
    const ffi = await loadFfi();
    assert.throws(() => ffi.open("no_such_library.so"), (error: unknown) => {
      assert.ok(isKeyboundError(error, "key_provider_unavailable"));
      assert.match(error.message, /no_such_library\.so/);
      return true;
    });
  });

  it("says which function a library lacks", async () => {
    const [, library] = await libc();
    assert.throws(() => library.function("no_such_function", STRLEN), unavailable);
    assert.equal(library.has("no_such_function"), false);
    assert.equal(library.has("strlen"), true);
  });

  it("calls functions with buffers, addresses and numbers", async () => {
    const [ffi, library] = await libc();
    const text = utf8("four\0");
    assert.equal(library.function("strlen", STRLEN)(text), 4n);
    assert.equal(library.function("strlen", STRLEN_AT)(ffi.addressOf(text)), 4n);
    assert.equal(library.function("abs", signature("i32", "i32"))(-7), 7);
    const huge = library.function("llabs", signature("i64", "i64"))(-(2n ** 62n));
    assert.equal(huge, 2n ** 62n);
  });

  it("passes bytes that start within a buffer", async () => {
    const [ffi, library] = await libc();
    const tail = utf8("one two\0").subarray(4);
    assert.equal(library.function("strlen", STRLEN)(tail), 3n);
    assert.equal(ffi.readText(ffi.addressOf(tail)), "two");
  });

  it("calls functions on another thread", async () => {
    const [, library] = await libc();
    const strlen = library.function("strlen", STRLEN);
    const lengths = await Promise.all(
      Array.from({ length: 20 }, (_, i) => strlen.threaded(utf8(`${"x".repeat(i)}\0`))),
    );
    assert.deepEqual(lengths, Array.from({ length: 20 }, (_, i) => BigInt(i)));
  });

  it("lets C call back, from a threaded call too", async () => {
    const [ffi, library] = await libc();
    let calls = 0;
    const compare = ffi.callback(COMPARE, (a, b) => {
      calls++;
      return ffi.read(a, 1)[0]! - ffi.read(b, 1)[0]!;
    });
    const qsort = library.function("qsort", QSORT);
    const bytes = Uint8Array.of(3, 1, 2);
    qsort(bytes, 3n, 1n, compare.address);
    assert.deepEqual([...bytes], [1, 2, 3]);
    const more = Uint8Array.of(9, 8, 7, 6);
    await qsort.threaded(more, 4n, 1n, compare.address);
    assert.deepEqual([...more], [6, 7, 8, 9]);
    assert.ok(calls >= 5);
    compare.close();
  });

  it("calls a function by its address", async () => {
    const [ffi] = await libc();
    const callback = ffi.callback(signature("u64", "u64", "i32"), (a, b) => a + BigInt(b));
    const add = ffi.functionAt(callback.address, signature("u64", "u64", "i32"));
    assert.equal(add(2n ** 63n, -1), 2n ** 63n - 1n);
    assert.equal(add(1n, 1), 2n);
    callback.close();
  });

  it("reads and writes memory, in copies", async () => {
    const ffi = await loadFfi();
    const bytes = utf8("hello\0rest");
    const address = ffi.addressOf(bytes);
    const copy = ffi.read(address + 1n, 3);
    ffi.write(address, utf8("J"));
    assert.equal(new TextDecoder().decode(copy), "ell");
    assert.equal(ffi.readText(address), "Jello");
    assert.equal(ffi.readText(address, 2), "Je");
    assert.deepEqual(ffi.read(address, 0), new Uint8Array(0));
    ffi.write(address, new Uint8Array(0));
  });

  it("knows the sizes of the platform", async () => {
    const { platform } = await loadFfi();
    assert.equal(platform.long, process.platform === "win32" ? 4 : platform.pointer);
  });
});
