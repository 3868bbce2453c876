/**
 * Many large bodies through the proxy at once: not a byte is lost.
 *
 * @module
 */

import assert from "node:assert/strict";
import { request } from "node:http";
import { after, before, describe, it } from "node:test";
import { type RunningProxy, type Stage, stage } from "./support/proxy.ts";

const STREAMS = 64;
const SIZE = 5_000_000;
const CHUNK = 50_000;

/** A chunk of stream `index` that is like no other stream's. */
function chunkOf(index: number): Uint8Array {
  return new Uint8Array(CHUNK).map((_, position) => (position * 31 + index * 7) & 0xff);
}

/** Whether `part` is what follows, at this offset, of the chunk over and over. */
function continues(chunk: Uint8Array, offset: number, part: Uint8Array): boolean {
  for (let position = 0; position < part.length;) {
    const start = (offset + position) % CHUNK;
    const length = Math.min(CHUNK - start, part.length - position);
    const expected = chunk.subarray(start, start + length);
    if (Buffer.compare(expected, part.subarray(position, position + length)) !== 0) return false;
    position += length;
  }
  return true;
}

describe("64 streams of 5 MB through the proxy", () => {
  let scene: Stage;
  let proxy: RunningProxy;
  before(async () => {
    scene = await stage();
    proxy = await scene.proxy("--quiet");
  });
  after(async () => {
    await proxy.running.stop();
    await scene.close();
  });

  /** Sends a body to be echoed; resolves with how many bytes came back, if each is what was sent. */
  const echo = (index: number) =>
    new Promise<number>((resolve, reject) => {
      const { url, secret } = proxy.ready;
      const chunk = chunkOf(index);
      const outgoing = request(`${url}/echo`, {
        method: "POST",
        agent: false,
        headers: {
          "keybound-secret": secret,
          // Half of them of a length that is told, half in chunks.
          ...(index % 2 === 0 ? { "content-length": SIZE } : {}),
        },
      });
      outgoing.once("error", reject).once("response", (answer) => {
        let length = 0;
        answer.on("data", (part: Uint8Array) => {
          if (!continues(chunk, length, part)) reject(new Error(`Another byte from ${length} on.`));
          length += part.length;
        });
        answer.once("error", reject).once("end", () => {
          if (answer.statusCode !== 200) return reject(new Error(`Status ${answer.statusCode}`));
          resolve(length);
        });
      });
      let written = 0;
      const write = () => {
        while (written < SIZE) {
          written += chunk.length;
          if (!outgoing.write(chunk)) return void outgoing.once("drain", write);
        }
        outgoing.end();
      };
      write();
    });

  it("come back as they went", async () => {
    const lengths = await Promise.all(Array.from({ length: STREAMS }, (_, index) => echo(index)));
    assert.deepEqual(lengths, new Array(STREAMS).fill(SIZE));
    const { token, issuecredential } = await scene.emulator.counts();
    assert.deepEqual([token, issuecredential], [1, 1], "one token for all");
  });
});
