/**
 * A PKCS#11 module as operations on JavaScript values.
 *
 * @module
 */

import process from "node:process";
import type { Bytes } from "../../src/encoding.ts";
import type { Ffi, NativeFunction, NativeLibrary, NativeValues, Signature } from "../ffi/mod.ts";
import { CKA, CKF, CKR, CKU } from "./constants.ts";
import {
  type FunctionName,
  type Functions,
  functionsOf,
  type FunctionValues,
} from "./functions.ts";
import type { Call, Operation } from "../ffi/operation.ts";
import { failureOf, ReturnCodeError } from "./return_codes.ts";
import {
  allocate,
  type Attribute,
  type Mechanism,
  type Structs,
  structsOf,
  type TokenInfo,
} from "./structs.ts";

/** A session or object of a module. All 64 bits count. */
export type Handle = bigint;

/** The handles of a key pair. */
export interface KeyPairHandles {
  readonly publicKey: Handle;
  readonly privateKey: Handle;
}

/** Longest attribute value that is read, bytes. */
const MAX_VALUE = 65_536;

/** Longest signature, bytes: that of a 16384-bit RSA key. */
const MAX_SIGNATURE = 2048;

/** Most objects that a search gives. */
const MAX_OBJECTS = 4096;

/** Objects that one call of a search gives at most. */
const BATCH = 64;

/** Most slots of a module. */
const MAX_SLOTS = 1024;

/** `CKS_RO_USER_FUNCTIONS` and `CKS_RW_USER_FUNCTIONS`. */
const USER_STATES = [1, 3];

/** A module that was loaded. */
export class Cryptoki {
  /** Encoders for this platform. */
  readonly structs: Structs;
  /** Held on to: a library that is collected as garbage is unloaded, and its functions with it. */
  readonly #library: NativeLibrary;
  readonly #functions: Functions;
  readonly #addressOf: (block: Bytes) => bigint;

  /** Loads the module at this path; throws `key_provider_unavailable` where it isn't one. */
  constructor(ffi: Ffi, path: string) {
    this.structs = structsOf(ffi.platform, process.platform === "win32");
    this.#library = ffi.open(path);
    this.#functions = functionsOf(this.#library, ffi, this.structs);
    this.#addressOf = (block) => ffi.addressOf(block);
  }

  /** Starts the module, for use by several threads. */
  *initialize(): Operation<void> {
    yield this.#call("C_Initialize", this.structs.initializeArguments(CKF.OS_LOCKING_OK));
  }

  /** Ends the module: every session and handle becomes invalid. */
  *finalize(): Operation<void> {
    yield this.#call("C_Finalize", null);
  }

  /** The slots with a token in them. */
  *slots(): Operation<bigint[]> {
    const count = allocate(this.structs.ulongSize);
    // Asking without a list is what makes a module look for tokens that came or went.
    yield this.#call("C_GetSlotList", 1, null, count);
    const room = Math.min(Number(this.structs.readUlong(count)), MAX_SLOTS);
    const list = allocate(room * this.structs.ulongSize);
    count.set(this.structs.ulong(room));
    yield this.#call("C_GetSlotList", 1, list, count);
    return this.structs.readUlongs(list, Math.min(Number(this.structs.readUlong(count)), room));
  }

  /** What the token in this slot says about itself. */
  *tokenInfo(slot: bigint): Operation<TokenInfo> {
    const info = allocate(this.structs.tokenInfoSize);
    yield this.#call("C_GetTokenInfo", slot, info);
    return this.structs.tokenInfo(info);
  }

  /** A new session. */
  *openSession(slot: bigint, writable: boolean): Operation<Handle> {
    const handle = allocate(this.structs.ulongSize);
    const flags = CKF.SERIAL_SESSION | (writable ? CKF.RW_SESSION : 0);
    yield this.#call("C_OpenSession", slot, BigInt(flags), 0n, 0n, handle);
    return this.structs.readUlong(handle);
  }

  /** Closes a session. */
  *closeSession(session: Handle): Operation<void> {
    yield this.#call("C_CloseSession", session);
  }

  /** Whether the user is logged in, as this session sees it. */
  *isLoggedIn(session: Handle): Operation<boolean> {
    const info = allocate(this.structs.sessionInfoSize);
    yield this.#call("C_GetSessionInfo", session, info);
    return USER_STATES.includes(this.structs.sessionState(info));
  }

  /** Logs the user in, for all sessions of this process; without a PIN, at the token itself. */
  *login(session: Handle, pin: Bytes | undefined): Operation<void> {
    const length = BigInt(pin?.length ?? 0);
    yield this.#call("C_Login", session, BigInt(CKU.USER), pin ?? null, length);
  }

  /** The objects with all of these attributes, as far as this session sees them. */
  *find(session: Handle, attributes: readonly Attribute[]): Operation<Handle[]> {
    const { block, count } = this.structs.template(attributes, this.#addressOf);
    yield this.#call("C_FindObjectsInit", session, block, count);
    const found: Handle[] = [];
    try {
      const batch = allocate(BATCH * this.structs.ulongSize);
      const length = allocate(this.structs.ulongSize);
      while (found.length < MAX_OBJECTS) {
        yield this.#call("C_FindObjects", session, batch, BigInt(BATCH), length);
        const more = Math.min(Number(this.structs.readUlong(length)), BATCH);
        if (more === 0) break;
        found.push(...this.structs.readUlongs(batch, more));
      }
    } finally {
      yield this.#call("C_FindObjectsFinal", session);
    }
    return found;
  }

  /** The value of an attribute; `undefined` where the object has none, or doesn't give it. */
  *attribute(session: Handle, object: Handle, type: number): Operation<Bytes | undefined> {
    const length = yield* this.#queryLength(session, object, type);
    if (length === undefined) return undefined;
    if (length > MAX_VALUE) throw new ReturnCodeError("C_GetAttributeValue", CKR.GENERAL_ERROR);
    const value = allocate(length);
    const query = this.structs.query(type, value.subarray(0, length), this.#addressOf);
    if (length > 0) yield this.#call("C_GetAttributeValue", session, object, query, 1n);
    // `value` is named here so that it lives until now: the block holds only its address.
    return value.slice(0, Math.min(this.structs.queriedLength(query) ?? 0, length));
  }

  *#queryLength(session: Handle, object: Handle, type: number): Operation<number | undefined> {
    const query = this.structs.query(type, undefined, this.#addressOf);
    try {
      yield this.#call("C_GetAttributeValue", session, object, query, 1n);
    } catch (error) {
      const absent: number[] = [CKR.ATTRIBUTE_TYPE_INVALID, CKR.ATTRIBUTE_SENSITIVE];
      if (error instanceof ReturnCodeError && absent.includes(error.returnCode)) return undefined;
      throw error;
    }
    return this.structs.queriedLength(query);
  }

  /** A new object with these attributes. */
  *createObject(session: Handle, attributes: readonly Attribute[]): Operation<Handle> {
    const { block, count } = this.structs.template(attributes, this.#addressOf);
    const handle = allocate(this.structs.ulongSize);
    yield this.#call("C_CreateObject", session, block, count, handle);
    return this.structs.readUlong(handle);
  }

  /** Destroys an object. Does nothing where it isn't there any more. */
  *destroyObject(session: Handle, object: Handle): Operation<void> {
    try {
      yield this.#call("C_DestroyObject", session, object);
    } catch (error) {
      const gone: number[] = [CKR.OBJECT_HANDLE_INVALID, CKR.KEY_HANDLE_INVALID];
      if (!(error instanceof ReturnCodeError) || !gone.includes(error.returnCode)) throw error;
    }
  }

  /** A new key pair. */
  *generateKeyPair(
    session: Handle,
    mechanism: Mechanism,
    publicKey: readonly Attribute[],
    privateKey: readonly Attribute[],
  ): Operation<KeyPairHandles> {
    const block = this.structs.mechanism(mechanism, this.#addressOf);
    const ofPublic = this.structs.template(publicKey, this.#addressOf);
    const ofPrivate = this.structs.template(privateKey, this.#addressOf);
    const handles = [allocate(this.structs.ulongSize), allocate(this.structs.ulongSize)] as const;
    yield this.#call(
      "C_GenerateKeyPair",
      session,
      block,
      ...[ofPublic.block, ofPublic.count, ofPrivate.block, ofPrivate.count] as const,
      ...handles,
    );
    const [ofPublicKey, ofPrivateKey] = handles;
    return {
      publicKey: this.structs.readUlong(ofPublicKey),
      privateKey: this.structs.readUlong(ofPrivateKey),
    };
  }

  /** A signature. The two calls are a pair: nobody else may use the session in between. */
  *sign(session: Handle, mechanism: Mechanism, key: Handle, data: Uint8Array): Operation<Bytes> {
    const input = allocate(data.length);
    input.set(data);
    const output = allocate(MAX_SIGNATURE);
    const length = this.structs.ulong(MAX_SIGNATURE);
    yield this.#call(
      "C_SignInit",
      session,
      this.structs.mechanism(mechanism, this.#addressOf),
      key,
    );
    yield this.#call("C_Sign", session, input, BigInt(data.length), output, length);
    return output.slice(0, Math.min(Number(this.structs.readUlong(length)), MAX_SIGNATURE));
  }

  /** The value of an attribute that is a number, such as `CKA_CLASS`. */
  number(value: number): Bytes {
    return this.structs.ulong(value);
  }

  /** The template for objects of this class. */
  ofClass(objectClass: number): Attribute {
    return [CKA.CLASS, this.structs.ulong(objectClass)];
  }

  #call<N extends FunctionName>(name: N, ...values: FunctionValues<N>): Call {
    const call = this.#functions[name] as unknown as NativeFunction<Signature<"ulong">>;
    const passed = values as NativeValues<Signature["takes"]>;
    return {
      here: () => failureOf(name, call(...passed)),
      elsewhere: async () => failureOf(name, await call.threaded(...passed)),
    };
  }
}
