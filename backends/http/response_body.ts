/**
 * A response's body as a web stream.
 *
 * @module
 */

import type { IncomingMessage } from "node:http";
import type { Bytes } from "../../src/encoding.ts";

/** What the stream tells the one who made it. */
export interface BodyEvents {
  /** It was read to its end. */
  onEnd(): void;
  /** Its reader wants no more of it. */
  onCancel(): void;
  /** It ended before its end; nothing or an error says why. */
  onFailure(cause: unknown): void;
}

/** A body, and a way to break it off. */
export interface ResponseBody {
  readonly stream: ReadableStream<Bytes>;
  /** Makes the stream fail with this reason, unless it is over. */
  fail(reason: unknown): void;
}

/** Bytes that wait in the stream before the connection is held back. */
const HIGH_WATER_MARK = 65_536;

/** The body of `message`. The connection is read only as fast as the stream is. */
export function responseBody(message: IncomingMessage, events: BodyEvents): ResponseBody {
  let controller!: ReadableStreamDefaultController<Bytes>;
  let over = false;
  const finish = (act: () => void) => {
    if (over) return;
    over = true;
    act();
  };
  const stream = new ReadableStream<Bytes>({
    start(started) {
      controller = started;
      message.on("data", (chunk: Bytes) => {
        if (over) return;
        // A copy: the chunk is a window on a buffer that others have windows on, and a reader may
        // transfer what it is given.
        controller.enqueue(new Uint8Array(chunk));
        if ((controller.desiredSize ?? 0) <= 0) message.pause();
      });
      message.on("end", () =>
        finish(() => {
          controller.close();
          events.onEnd();
        }));
      const cutOff = (cause?: unknown) => {
        if (!over) events.onFailure(cause);
      };
      message.on("error", cutOff);
      message.on("close", () => cutOff());
    },
    pull() {
      message.resume();
    },
    cancel() {
      finish(() => events.onCancel());
    },
  }, new ByteLengthQueuingStrategy({ highWaterMark: HIGH_WATER_MARK }));
  return { stream, fail: (reason) => finish(() => controller.error(reason)) };
}
