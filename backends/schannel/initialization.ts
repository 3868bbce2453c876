/**
 * A call of `InitializeSecurityContext`: what it is given, and what came of it.
 *
 * @module
 */

import { concat } from "../../src/encoding.ts";
import {
  applicationProtocols,
  BUFFER,
  type BufferEntry,
  type BufferList,
  bufferList,
  extraOf,
  type ReturnedBuffer,
} from "./buffers.ts";
import type { SecurityFunctions } from "./functions.ts";
import type { Schannel } from "./schannel.ts";
import type { ContextStep } from "./security_context.ts";

/**
 * `ISC_REQ_REPLAY_DETECT | _SEQUENCE_DETECT | _CONFIDENTIALITY | _USE_SUPPLIED_CREDS |
 * _ALLOCATE_MEMORY | _EXTENDED_ERROR | _STREAM | _MANUAL_CRED_VALIDATION`: alerts come as tokens.
 */
const REQUEST = 0x4 | 0x8 | 0x10 | 0x80 | 0x100 | 0x4000 | 0x8000 | 0x80000;

const NOTHING = new Uint8Array(0);

/** What the call is about. */
export interface InitializationSettings {
  /** The `CredHandle`. */
  readonly credential: Uint8Array;
  /** The `CtxtHandle`, written by the first call. */
  readonly context: Uint8Array;
  readonly isFirst: boolean;
  /** The server's name, as Windows takes text. */
  readonly target: Uint8Array;
  /** What the server sent; `undefined` for nothing. */
  readonly input: Uint8Array | undefined;
}

/** The call, with all that must live as long. */
export interface Initialization {
  readonly args: Parameters<SecurityFunctions["InitializeSecurityContextW"]>;
  readonly bytes: Uint8Array;
  readonly incoming: BufferList;
  readonly outgoing: BufferList;
}

/** Makes the call ready. The first one offers `http/1.1` by ALPN. */
export function prepareInitialization(
  { ffi, structs }: Schannel,
  { credential, context, isFirst, target, input }: InitializationSettings,
): Initialization {
  const list = (entries: readonly BufferEntry[]) =>
    bufferList(structs, (bytes) => ffi.addressOf(bytes), entries);
  const bytes = input ?? (isFirst ? applicationProtocols(["http/1.1"]) : NOTHING);
  const given = bytes.length === 0 ? {} : { address: ffi.addressOf(bytes), length: bytes.length };
  const incoming = list(
    isFirst
      ? [{ type: BUFFER.APPLICATION_PROTOCOLS, ...given }]
      : [{ type: BUFFER.TOKEN, ...given }, { type: BUFFER.EMPTY }],
  );
  const outgoing = list([
    { type: BUFFER.TOKEN },
    { type: BUFFER.ALERT },
    { type: BUFFER.EMPTY },
  ]);
  const args: Initialization["args"] = [
    credential,
    isFirst ? null : context,
    target,
    REQUEST,
    0,
    0,
    bytes.length === 0 ? null : incoming.description,
    0,
    context,
    outgoing.description,
    new Uint8Array(4),
    new Uint8Array(8),
  ];
  return { args, bytes, incoming, outgoing };
}

/** What came of the call. Bytes that SSPI allocated are given back. */
export function initializationStep(
  { ffi, security }: Schannel,
  status: number,
  { bytes, incoming, outgoing }: Initialization,
): ContextStep {
  const take = ({ address, length }: ReturnedBuffer) => {
    if (address === 0n) return NOTHING;
    const token = ffi.read(address, length);
    security.FreeContextBuffer(address);
    return token;
  };
  const tokens = outgoing.read()
    .filter(({ type }) => type === BUFFER.TOKEN || type === BUFFER.ALERT)
    .map(take);
  // `bytes` is named here so that it lives until now.
  const extra = bytes.length === 0 ? 0 : extraOf(incoming.read());
  return { status: status >>> 0, token: concat(...tokens), extra };
}
