/**
 * Bodies on their way through the proxy, no faster than the slower end takes them.
 *
 * @module
 */

import type { IncomingMessage, ServerResponse } from "node:http";
import type { Bytes } from "../../src/encoding.ts";

/** A body up to this length is taken whole, so that the request can be sent again to heal. Bytes. */
const WHOLE = 65_536;

/** What is held of a body between its ends, bytes. */
const HIGH_WATER_MARK = 65_536;

/** The body of a request; `undefined` where it has none. Rejects where the client leaves. */
export async function requestBody(
  request: IncomingMessage,
): Promise<Bytes | ReadableStream<Bytes> | undefined> {
  const { "content-length": length, "transfer-encoding": coding } = request.headers;
  if (coding === undefined && (length === undefined || Number(length) === 0)) return undefined;
  const stream = streamOf(request);
  if (coding !== undefined || Number(length) > WHOLE) return stream;
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

function streamOf(request: IncomingMessage): ReadableStream<Bytes> {
  let over = false;
  const once = (act: () => void) => {
    if (!over) act();
    over = true;
  };
  const cutShort = () => new Error("The client left before its request was complete.");
  return new ReadableStream<Bytes>({
    start(controller) {
      request.on("data", (chunk: Uint8Array) => {
        if (over) return;
        controller.enqueue(new Uint8Array(chunk));
        if ((controller.desiredSize ?? 0) <= 0) request.pause();
      });
      request.on("end", () => once(() => controller.close()));
      request.on("error", () => once(() => controller.error(cutShort())));
      request.on("close", () => once(() => controller.error(cutShort())));
    },
    pull: () => void request.resume(),
    // Nobody wants the rest: it is let past, so that the answer can be given.
    cancel: () => once(() => request.resume()),
  }, new ByteLengthQueuingStrategy({ highWaterMark: HIGH_WATER_MARK }));
}

/**
 * Writes a body to the client; gives the body up where the client leaves. Rejects where the body fails.
 */
export async function sendBody(
  body: ReadableStream<Uint8Array> | null,
  response: ServerResponse,
): Promise<void> {
  const reader = body?.getReader();
  if (reader !== undefined) {
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      if (response.destroyed) return void await reader.cancel().catch(() => {});
      if (!response.write(part.value)) await drained(response);
    }
  }
  response.end();
}

function drained(response: ServerResponse): Promise<void> {
  if (response.destroyed) return Promise.resolve();
  return new Promise((resolve) => {
    const done = () => {
      response.off("drain", done).off("close", done);
      resolve();
    };
    response.on("drain", done).on("close", done);
  });
}
