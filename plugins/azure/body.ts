/**
 * Bodies between the Azure SDK, which has Node's streams, and `fetch`, which has the web's.
 *
 * @module
 */

import { type Bytes, utf8 } from "../../src/encoding.ts";

/** Told how many bytes have gone by so far. */
export type OnProgress = (progress: { loadedBytes: number }) => void;

/** A request's body as `fetch` takes it. */
export interface SentBody {
  /** What goes into `RequestInit`. */
  readonly init: RequestInit & { readonly duplex?: "half" };
  /** Whether it can be read once only. */
  readonly isStream: boolean;
  /** To be called when an answer is there: by then, what isn't a stream has gone. */
  readonly sent: () => void;
}

/** `fetch`'s form of a body, `undefined` for what is none of the SDK's. */
export function sentBody(given: unknown, onProgress?: OnProgress): SentBody | undefined {
  const body: unknown = typeof given === "function" ? given() : given;
  if (body === null || body === undefined || body === "") {
    return { init: {}, isStream: false, sent: () => {} };
  }
  const stream = body instanceof ReadableStream
    ? body as ReadableStream<Uint8Array>
    : isAsyncIterable(body)
    ? streamOf(body)
    : undefined;
  if (stream !== undefined) {
    const counted = onProgress === undefined ? stream : watched(stream, { onProgress });
    return { init: { body: counted, duplex: "half" }, isStream: true, sent: () => {} };
  }
  if (!isWhole(body)) return undefined;
  const sent = () => onProgress?.({ loadedBytes: lengthOf(body) });
  return { init: { body }, isStream: false, sent };
}

type Whole = string | ArrayBuffer | ArrayBufferView<ArrayBuffer> | Blob | FormData;

function isWhole(body: unknown): body is Whole {
  return typeof body === "string" || ArrayBuffer.isView(body) ||
    [ArrayBuffer, Blob, FormData].some((type) => body instanceof type);
}

function lengthOf(body: Whole): number {
  if (typeof body === "string") return utf8(body).length;
  if (body instanceof Blob) return body.size;
  return body instanceof FormData ? 0 : body.byteLength;
}

/** What is done with a stream on its way. */
export interface StreamWatch {
  /** Told of each chunk. */
  readonly onProgress?: OnProgress | undefined;
  /** Called once, when it is over: read to its end, failed, or given up. */
  readonly onEnd?: () => void;
  /** What its reader gets for a failure. */
  readonly errorOf?: (error: unknown) => unknown;
}

/** The same stream, watched. */
export function watched(
  stream: ReadableStream<Uint8Array>,
  { onProgress, onEnd = () => {}, errorOf = (error) => error }: StreamWatch,
): ReadableStream<Uint8Array> {
  const reader = stream.getReader();
  let loadedBytes = 0;
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const { done, value } = await reader.read();
        if (done) {
          onEnd();
          return controller.close();
        }
        loadedBytes += value.length;
        onProgress?.({ loadedBytes });
        controller.enqueue(value);
      } catch (error) {
        onEnd();
        reader.cancel(error).catch(() => {});
        throw errorOf(error);
      }
    },
    async cancel(reason) {
      onEnd();
      await reader.cancel(reason);
    },
  }, { highWaterMark: 0 });
}

function isAsyncIterable(body: unknown): body is AsyncIterable<unknown> {
  return typeof body === "object" && body !== null && !(body instanceof Blob) &&
    Symbol.asyncIterator in body;
}

/** Read as fast as it is taken; a stream of Node's is destroyed when nobody wants the rest. */
function streamOf(source: AsyncIterable<unknown>): ReadableStream<Uint8Array> {
  const iterator = source[Symbol.asyncIterator]();
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { done, value } = await iterator.next();
      if (done) return controller.close();
      controller.enqueue(bytesOf(value));
    },
    async cancel(reason) {
      await iterator.return?.(reason);
    },
  }, { highWaterMark: 0 });
}

function bytesOf(chunk: unknown): Bytes {
  if (typeof chunk === "string") return utf8(chunk);
  if (chunk instanceof Uint8Array) return new Uint8Array(chunk);
  throw new TypeError("A stream of bytes or text is needed.");
}

/** A response's body as a stream of Node's; `undefined` on runtimes that have none. */
export async function nodeStream(
  body: ReadableStream<Uint8Array>,
): Promise<NodeJS.ReadableStream | undefined> {
  try {
    const { Readable } = await import("node:stream");
    return Readable.fromWeb(body as Parameters<typeof Readable.fromWeb>[0]);
  } catch {
    return undefined;
  }
}
