/**
 * The functions of a module: what isn't one is never called.
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Ffi, loadFfi, type NativeLibrary } from "../../backends/ffi/mod.ts";
import { functionsOf } from "../../backends/pkcs11/functions.ts";
import { structsOf } from "../../backends/pkcs11/structs.ts";
import { isKeyboundError } from "../../src/errors.ts";

/** Functions of a `CK_FUNCTION_LIST` of version 2. */
const FUNCTIONS = 68;

/** A library whose `C_GetFunctionList` gives this list, and returns this. */
function libraryWith(ffi: Ffi, list: Uint8Array | undefined, returns: bigint = 0n): NativeLibrary {
  const give = (table: Uint8Array) => {
    const address = list === undefined ? 0n : ffi.addressOf(list);
    new DataView(table.buffer, table.byteOffset).setBigUint64(0, address, true);
    return returns;
  };
  return {
    path: "module.so",
    has: () => true,
    function: () => give as unknown as ReturnType<NativeLibrary["function"]>,
  } as unknown as NativeLibrary;
}

describe("the functions of a module", () => {
  const isRefused = (error: unknown) => isKeyboundError(error, "key_provider_unavailable");

  it("aren't there where it fails to give its list, or gives none", async () => {
    const ffi = await loadFfi();
    const structs = structsOf(ffi.platform, false);
    const list = new Uint8Array(new ArrayBuffer(8 * (FUNCTIONS + 1)));
    for (const library of [libraryWith(ffi, list, 5n), libraryWith(ffi, undefined)]) {
      assert.throws(() => functionsOf(library, ffi, structs), isRefused);
    }
  });

  it("are never called at NULL: a list with a gap is refused", async () => {
    const ffi = await loadFfi();
    const structs = structsOf(ffi.platform, false);
    const list = new Uint8Array(new ArrayBuffer(8 * (FUNCTIONS + 1)));
    const library = libraryWith(ffi, list);
    assert.throws(() => functionsOf(library, ffi, structs), isRefused);
  });
});
