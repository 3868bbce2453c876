/**
 * A request's body on its way to the wire.
 *
 * @module
 */

import type { ClientRequest } from "node:http";
import { KeyboundError } from "../../src/errors.ts";
import { raceSignal } from "../../src/single_flight.ts";

/** A body that was opened and is yet to be written. */
export interface RequestBody {
  /** Its length in bytes, where known. */
  readonly length: number | undefined;
  /** Whether it is wholly in memory. */
  readonly buffered: boolean;
  /** Writes it and ends the request; rejects where the body fails or isn't as long as declared. */
  writeTo(request: ClientRequest): Promise<void>;
  /** Gives it up. */
  cancel(reason: unknown): void;
}

/** Bytes that are read before the request goes out, to see whether there are more. */
const READ_AHEAD = 65_536;

/**
 * Opens the body of a request. One of less than 64 KiB has a known length; for any other the caller
 * may declare it with a `content-length` header.
 *
 * Rejects with the signal's reason, what the body fails with, or `invalid_argument` for a body
 * already used, or a declared length that isn't a number or isn't the body's.
 */
export async function openBody(request: Request, signal: AbortSignal): Promise<RequestBody> {
  if (request.bodyUsed) {
    throw invalid("The body of the request has been used. Pass a new request or a clone.");
  }
  const reader = request.body?.getReader();
  const declared = declaredLength(request.headers.get("content-length"));
  const beginning = reader === undefined ? NO_BODY : await readAhead(reader, signal);
  const buffered = beginning.ended;
  const length = buffered ? beginning.length : declared;
  if (declared !== undefined && declared !== length) throw wrongLength();
  return {
    // Without a body it is for `node:http` to know the methods that need a length of 0.
    length: reader === undefined ? undefined : length,
    buffered,
    async writeTo(sink) {
      let written = 0;
      const write = async (chunk: Uint8Array) => {
        written += chunk.length;
        if (length !== undefined && written > length) throw wrongLength();
        if (!sink.write(chunk)) await drained(sink);
      };
      // Not at once: what Deno is given in the event by which a reused connection is assigned spoils
      // that connection for the request after it. A request without a body has no such trouble.
      if (beginning.chunks.length > 0) await Promise.resolve();
      for (const chunk of beginning.chunks) await write(chunk);
      while (!buffered && !sink.destroyed) {
        const { done, value } = await reader!.read();
        if (done) break;
        await write(value);
      }
      if (sink.destroyed) return;
      if (length !== undefined && written < length) throw wrongLength();
      sink.end();
    },
    cancel(reason) {
      if (!buffered) reader!.cancel(reason).catch(() => {});
    },
  };
}

/** The beginning of a body, and whether that is all of it. */
interface Beginning {
  readonly chunks: readonly Uint8Array[];
  readonly length: number;
  readonly ended: boolean;
}

const NO_BODY: Beginning = { chunks: [], length: 0, ended: true };

async function readAhead(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  signal: AbortSignal,
): Promise<Beginning> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  try {
    while (length < READ_AHEAD) {
      const { done, value } = await raceSignal(reader.read(), signal);
      if (done) return { chunks, length, ended: true };
      chunks.push(value);
      length += value.length;
    }
    return { chunks, length, ended: false };
  } catch (error) {
    reader.cancel(error).catch(() => {});
    throw error;
  }
}

/** Resolves when the request takes more, or never will. */
function drained(sink: ClientRequest): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      sink.off("drain", done).off("close", done);
      resolve();
    };
    if (sink.destroyed) resolve();
    else sink.on("drain", done).on("close", done);
  });
}

function declaredLength(header: string | null): number | undefined {
  if (header === null) return undefined;
  if (!/^\d{1,15}$/.test(header)) throw invalid("The 'content-length' header is not a number.");
  return Number(header);
}

/** A length that isn't the body's would make the rest of it the start of another request. */
function wrongLength(): KeyboundError {
  return invalid("The body of the request is not as long as its 'content-length' header says.");
}

function invalid(message: string): KeyboundError {
  return new KeyboundError("invalid_argument", message);
}
