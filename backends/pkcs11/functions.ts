/**
 * The functions of a PKCS#11 module by the places that the standard gives them.
 *
 * @module
 */

import { KeyboundError } from "../../src/errors.ts";
import {
  type Ffi,
  type NativeFunction,
  type NativeLibrary,
  type NativeValues,
  type Signature,
  signature,
} from "../ffi/mod.ts";
import { CKR } from "./constants.ts";
import { allocate, type Structs } from "./structs.ts";

/** The types that each function used here takes. All return a `CK_RV`, a `CK_ULONG`. */
export interface FunctionTypes {
  readonly C_Initialize: readonly ["buffer"];
  readonly C_Finalize: readonly ["buffer"];
  readonly C_GetSlotList: readonly ["u8", "buffer", "buffer"];
  readonly C_GetTokenInfo: readonly ["ulong", "buffer"];
  readonly C_OpenSession: readonly ["ulong", "ulong", "address", "address", "buffer"];
  readonly C_CloseSession: readonly ["ulong"];
  readonly C_GetSessionInfo: readonly ["ulong", "buffer"];
  readonly C_Login: readonly ["ulong", "ulong", "buffer", "ulong"];
  readonly C_CreateObject: readonly ["ulong", "buffer", "ulong", "buffer"];
  readonly C_DestroyObject: readonly ["ulong", "ulong"];
  readonly C_GetAttributeValue: readonly ["ulong", "ulong", "buffer", "ulong"];
  readonly C_FindObjectsInit: readonly ["ulong", "buffer", "ulong"];
  readonly C_FindObjects: readonly ["ulong", "buffer", "ulong", "buffer"];
  readonly C_FindObjectsFinal: readonly ["ulong"];
  readonly C_SignInit: readonly ["ulong", "buffer", "ulong"];
  readonly C_Sign: readonly ["ulong", "buffer", "ulong", "buffer", "buffer"];
  readonly C_GenerateKeyPair: readonly [
    "ulong",
    "buffer",
    "buffer",
    "ulong",
    "buffer",
    "ulong",
    "buffer",
    "buffer",
  ];
}

/** Name of a function used here. */
export type FunctionName = keyof FunctionTypes;

/** The values that a function takes. */
export type FunctionValues<N extends FunctionName> = NativeValues<FunctionTypes[N]>;

/** The functions of a module. */
export type Functions = {
  readonly [N in FunctionName]: NativeFunction<Signature<"ulong", FunctionTypes[N]>>;
};

/** Place in `CK_FUNCTION_LIST` and types. */
const FUNCTIONS: {
  readonly [N in FunctionName]: readonly [place: number, takes: FunctionTypes[N]];
} = {
  C_Initialize: [0, ["buffer"]],
  C_Finalize: [1, ["buffer"]],
  C_GetSlotList: [4, ["u8", "buffer", "buffer"]],
  C_GetTokenInfo: [6, ["ulong", "buffer"]],
  C_OpenSession: [12, ["ulong", "ulong", "address", "address", "buffer"]],
  C_CloseSession: [13, ["ulong"]],
  C_GetSessionInfo: [15, ["ulong", "buffer"]],
  C_Login: [18, ["ulong", "ulong", "buffer", "ulong"]],
  C_CreateObject: [20, ["ulong", "buffer", "ulong", "buffer"]],
  C_DestroyObject: [22, ["ulong", "ulong"]],
  C_GetAttributeValue: [24, ["ulong", "ulong", "buffer", "ulong"]],
  C_FindObjectsInit: [26, ["ulong", "buffer", "ulong"]],
  C_FindObjects: [27, ["ulong", "buffer", "ulong", "buffer"]],
  C_FindObjectsFinal: [28, ["ulong"]],
  C_SignInit: [42, ["ulong", "buffer", "ulong"]],
  C_Sign: [43, ["ulong", "buffer", "ulong", "buffer", "buffer"]],
  C_GenerateKeyPair: [59, [
    "ulong",
    "buffer",
    "buffer",
    "ulong",
    "buffer",
    "ulong",
    "buffer",
    "buffer",
  ]],
};

/** The functions of this library; throws `key_provider_unavailable` where it is no module. */
export function functionsOf(library: NativeLibrary, ffi: Ffi, structs: Structs): Functions {
  const { pointer } = ffi.platform;
  const table = allocate(pointer);
  const code = library.function("C_GetFunctionList", signature("ulong", "buffer"))(table);
  const list = readAddress(table);
  if (Number(code) !== CKR.OK || list === 0n) throw noModule(library);
  const bound = Object.entries(FUNCTIONS).map(([name, [place, takes]]) => {
    const at = list + BigInt(structs.functionOffset(place));
    const address = readAddress(ffi.read(at, pointer));
    // What a module doesn't do it has a stub for (PKCS#11 2.40 section 5.1); to call NULL would end
    // the process.
    if (address === 0n) throw noModule(library);
    return [name, ffi.functionAt(address, signature("ulong", ...takes))];
  });
  return Object.fromEntries(bound) as Functions;
}

function noModule({ path }: NativeLibrary): KeyboundError {
  return new KeyboundError(
    "key_provider_unavailable",
    `The library '${path}' is not a PKCS#11 module that works. Check its path.`,
  );
}

/** A pointer, little-endian. */
function readAddress(bytes: Uint8Array): bigint {
  return bytes.reduceRight((address, octet) => address << 8n | BigInt(octet), 0n);
}
