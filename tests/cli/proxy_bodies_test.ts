/**
 * Bodies on their way through the proxy: no faster than the slower end, and never cut short unnoticed.
 *
 * @module
 */

import assert from "node:assert/strict";
import type { IncomingMessage, ServerResponse } from "node:http";
import { Readable, Writable } from "node:stream";
import { describe, it } from "node:test";
import { requestBody, sendBody } from "../../cli/proxy/bodies.ts";

const CHUNK = new Uint8Array(10_000).fill(7);
const MANY = 1000;

/** A request with a body of so many chunks, and how many have been taken from it. */
function requestOf(chunks: number, headers: Readonly<Record<string, string>>) {
  const taken = { chunks: 0 };
  const stream = new Readable({
    highWaterMark: CHUNK.length,
    read() {
      // As a connection gives them: never all at once.
      setImmediate(() => {
        if (taken.chunks === chunks) return void this.push(null);
        taken.chunks += 1;
        this.push(CHUNK);
      });
    },
  });
  return { request: Object.assign(stream, { headers }) as unknown as IncomingMessage, taken };
}

/** Lets everything happen that can happen by itself. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 200; turn++) await new Promise(setImmediate);
}

describe("the body of a request", () => {
  it("is none without length and coding, or with a length of 0", async () => {
    for (const headers of [{}, { "content-length": "0" }]) {
      assert.equal(await requestBody(requestOf(1, headers as never).request), undefined);
    }
  });

  it("is taken whole where it is short", async () => {
    const { request } = requestOf(3, { "content-length": "30000" });
    const body = await requestBody(request);
    assert.ok(body instanceof Uint8Array);
    assert.equal(body.length, 30_000);
  });

  it("isn't read on while nobody takes it", async () => {
    const { request, taken } = requestOf(MANY, { "transfer-encoding": "chunked" });
    const body = await requestBody(request);
    assert.ok(body instanceof ReadableStream);
    await settled();
    assert.ok(taken.chunks < 20, `${taken.chunks} chunks of ${MANY}`);
    const whole = new Uint8Array(await new Response(body).arrayBuffer());
    assert.equal(whole.length, MANY * CHUNK.length);
    assert.ok(whole.every((byte) => byte === 7));
  });

  it("fails where the client leaves before its end", async () => {
    const { request } = requestOf(MANY, { "transfer-encoding": "chunked" });
    const body = await requestBody(request);
    request.destroy();
    await assert.rejects(new Response(body as ReadableStream).arrayBuffer(), /left|abort/i);
  });

  it("is let past where the upstream doesn't want it", async () => {
    const { request, taken } = requestOf(50, { "transfer-encoding": "chunked" });
    const body = await requestBody(request);
    await (body as ReadableStream).cancel();
    await settled();
    assert.equal(taken.chunks, 50);
  });
});

/** A body of so many chunks, and how many have been taken from it. */
function bodyOf(chunks: number) {
  const taken = { chunks: 0, cancelled: false };
  const stream = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (taken.chunks === chunks) return controller.close();
      taken.chunks += 1;
      controller.enqueue(CHUNK);
    },
    cancel: () => void (taken.cancelled = true),
  }, { highWaterMark: 0 });
  return { stream, taken };
}

describe("the body of an answer", () => {
  it("isn't read on while the client doesn't take it, and given up when it leaves", async () => {
    const { stream, taken } = bodyOf(MANY);
    const client = new Writable({ highWaterMark: 50_000, write: () => {} });
    const sending = sendBody(stream, client as unknown as ServerResponse);
    await settled();
    assert.ok(taken.chunks < 10, `${taken.chunks} chunks of ${MANY}`);
    client.destroy();
    await sending;
    assert.equal(taken.cancelled, true);
  });

  it("comes whole to a client that takes it slowly", async () => {
    const { stream } = bodyOf(MANY);
    let length = 0;
    const client = new Writable({
      highWaterMark: 50_000,
      write(chunk: Uint8Array, _, done) {
        length += chunk.length;
        setImmediate(done);
      },
    });
    await sendBody(stream, client as unknown as ServerResponse);
    await new Promise((resolve) => client.once("finish", resolve));
    assert.equal(length, MANY * CHUNK.length);
  });

  it("rejects where it fails", async () => {
    const failing = new ReadableStream<Uint8Array>({
      pull: (controller) => controller.error(new Error("cut")),
    });
    const client = new Writable({ write: (_, __, done) => done() });
    await assert.rejects(sendBody(failing, client as unknown as ServerResponse), /cut/);
    assert.equal(client.writableEnded, false);
  });
});
