/**
 * The structs of PKCS#11 as bytes. On Windows they are packed and `CK_ULONG` has 4 bytes.
 *
 * What points at other memory is laid out in one block with it, so that whoever holds the block
 * keeps all of it alive while another thread reads it.
 *
 * @module
 */

import type { Bytes } from "../../src/encoding.ts";
import { layout, type Platform } from "../ffi/mod.ts";

/** An attribute of an object: its type (`CKA`) and the bytes of its value. */
export type Attribute = readonly [type: number, value: Uint8Array];

/** A template for objects: `count` structs and their values in one block. */
export interface Template {
  /** The structs, first, and the values. */
  readonly block: Bytes;
  /** How many attributes. */
  readonly count: bigint;
}

/** A mechanism (`CKM`) and the `CK_ULONG`s of its parameter, where it has one. */
export interface Mechanism {
  readonly type: number;
  readonly parameter?: readonly number[];
}

/** What a token says about itself. */
export interface TokenInfo {
  readonly label: string;
  readonly manufacturer: string;
  readonly model: string;
  readonly serial: string;
  /** Bits of `CKF`. */
  readonly flags: number;
  /** Sessions that this process has open; `undefined` where the token doesn't say. */
  readonly sessions: number | undefined;
}

/** Encoders and decoders for one platform. */
export interface Structs {
  /** The value of a `CK_ULONG` attribute. */
  ulong(value: number): Bytes;
  /** The `CK_ULONG` at the start of these bytes, or at this index of an array of them. */
  readUlong(bytes: Uint8Array, index?: number): bigint;
  /** The first `count` numbers of a list of `CK_ULONG`. */
  readUlongs(bytes: Uint8Array, count: number): bigint[];
  /** Bytes of a `CK_ULONG`. */
  readonly ulongSize: number;
  /** A template; `addressOf` tells where its block is. */
  template(attributes: readonly Attribute[], addressOf: (block: Bytes) => bigint): Template;
  /** A template for one attribute to be read into `value`; `undefined` asks for its length. */
  query(type: number, value: Bytes | undefined, addressOf: (block: Bytes) => bigint): Bytes;
  /** The length that a query came back with; `undefined` where the attribute can't be had. */
  queriedLength(query: Bytes): number | undefined;
  /** A mechanism with its parameter behind it. */
  mechanism(mechanism: Mechanism, addressOf: (block: Bytes) => bigint): Bytes;
  /** The arguments of `C_Initialize`: locking by the system, no callbacks. */
  initializeArguments(flags: number): Bytes;
  /** Bytes of `CK_TOKEN_INFO`. */
  readonly tokenInfoSize: number;
  /** What a `CK_TOKEN_INFO` says. */
  tokenInfo(bytes: Uint8Array): TokenInfo;
  /** Bytes of `CK_SESSION_INFO`. */
  readonly sessionInfoSize: number;
  /** The state (`CKS`) that a `CK_SESSION_INFO` tells. */
  sessionState(bytes: Uint8Array): number;
  /** Bytes from the start of `CK_FUNCTION_LIST` to this function's pointer. */
  functionOffset(index: number): number;
}

/** Bytes that stay where they are: those of small typed arrays may move until somebody looks. */
export function allocate(length: number): Bytes {
  return new Uint8Array(new ArrayBuffer(Math.max(length, 1)));
}

/** The structs of a platform; `packed` on Windows. */
export function structsOf(platform: Platform, packed: boolean): Structs {
  const options = packed ? { pack: 1 } as const : {};
  const Ulong = layout({ value: "ulong" }, platform);
  const Attribute = layout({ type: "ulong", value: "address", length: "ulong" }, platform, options);
  const Mechanism = layout(
    { type: "ulong", parameter: "address", length: "ulong" },
    platform,
    options,
  );
  const InitializeArguments = layout(
    {
      createMutex: "address",
      destroyMutex: "address",
      lockMutex: "address",
      unlockMutex: "address",
      flags: "ulong",
      reserved: "address",
    },
    platform,
    options,
  );
  const TokenInfo = layout(
    {
      label: { bytes: 32 },
      manufacturer: { bytes: 32 },
      model: { bytes: 16 },
      serial: { bytes: 16 },
      flags: "ulong",
      maxSessions: "ulong",
      sessions: "ulong",
      maxWritable: "ulong",
      writable: "ulong",
      maxPin: "ulong",
      minPin: "ulong",
      publicMemory: "ulong",
      freePublicMemory: "ulong",
      privateMemory: "ulong",
      freePrivateMemory: "ulong",
      hardware: { bytes: 2 },
      firmware: { bytes: 2 },
      time: { bytes: 16 },
    },
    platform,
    options,
  );
  const SessionInfo = layout(
    { slot: "ulong", state: "ulong", flags: "ulong", error: "ulong" },
    platform,
    options,
  );
  const FunctionList = layout({ version: { bytes: 2 }, first: "address" }, platform, options);
  /** `CK_UNAVAILABLE_INFORMATION`, all bits set. */
  const unavailable = (1n << BigInt(8 * Ulong.size)) - 1n;

  const readUlong = (bytes: Uint8Array, index = 0) => Ulong.decode(bytes, index * Ulong.size).value;
  const readUlongs = (bytes: Uint8Array, count: number) =>
    Array.from({ length: count }, (_, index) => readUlong(bytes, index));

  return {
    ulongSize: Ulong.size,
    ulong: (value) => Ulong.encode({ value: BigInt(value) }),
    readUlong,
    readUlongs,
    template(attributes, addressOf) {
      const start = attributes.length * Attribute.size;
      const length = attributes.reduce((sum, [, value]) => sum + value.length, start);
      const block = allocate(length);
      const base = addressOf(block);
      let offset = start;
      const structs = attributes.map(([type, value]) => {
        block.set(value, offset);
        const address = base + BigInt(offset);
        offset += value.length;
        return { type: BigInt(type), value: address, length: BigInt(value.length) };
      });
      block.set(Attribute.encodeAll(structs));
      return { block, count: BigInt(attributes.length) };
    },
    query(type, value, addressOf) {
      const query = allocate(Attribute.size);
      query.set(Attribute.encode({
        type: BigInt(type),
        value: value === undefined ? 0n : addressOf(value),
        length: BigInt(value?.length ?? 0),
      }));
      return query;
    },
    queriedLength(query) {
      const { length } = Attribute.decode(query);
      return length === unavailable ? undefined : Number(length);
    },
    mechanism({ type, parameter = [] }, addressOf) {
      const length = parameter.length * Ulong.size;
      const block = allocate(Mechanism.size + length);
      const address = length === 0 ? 0n : addressOf(block) + BigInt(Mechanism.size);
      block.set(
        Mechanism.encode({ type: BigInt(type), parameter: address, length: BigInt(length) }),
      );
      block.set(
        Ulong.encodeAll(parameter.map((value) => ({ value: BigInt(value) }))),
        Mechanism.size,
      );
      return block;
    },
    initializeArguments: (flags) => InitializeArguments.encode({ flags: BigInt(flags) }),
    tokenInfoSize: TokenInfo.size,
    tokenInfo(bytes) {
      const info = TokenInfo.decode(bytes);
      return {
        label: paddedText(info.label),
        manufacturer: paddedText(info.manufacturer),
        model: paddedText(info.model),
        serial: paddedText(info.serial),
        flags: Number(info.flags),
        sessions: info.sessions === unavailable ? undefined : Number(info.sessions),
      };
    },
    sessionInfoSize: SessionInfo.size,
    sessionState: (bytes) => Number(SessionInfo.decode(bytes).state),
    functionOffset: (index) => FunctionList.offsets.first + index * platform.pointer,
  };
}

/** Text of a fixed length, filled up with blanks, or by some modules with zeros. */
function paddedText(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes).replace(/[ \0]+$/, "");
}
