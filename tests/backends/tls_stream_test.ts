/**
 * The stream over a TLS engine: how bytes come in, and every way in which they stop coming.
 *
 * @module
 */

import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { after, afterEach, before, describe, it } from "node:test";
import type { TlsEngine } from "../../backends/tls_engine/engine.ts";
import { TlsStream } from "../../backends/tls_engine/stream.ts";
import { concat, utf8 } from "../../src/encoding.ts";
import { FINISHED, GOODBYE, plainEngine } from "./support/plain_engine.ts";

const NOTHING = new Uint8Array(0);

describe("a stream over a TLS engine", () => {
  let server: Server;
  const open: { destroy(): unknown }[] = [];
  before(async () => {
    server = createServer({ allowHalfOpen: true }).listen(0, "127.0.0.1");
    await once(server, "listening");
  });
  afterEach(() => open.splice(0).forEach((one) => one.destroy()));
  after(() => void server.close());

  /** The stream, and the peer's end of its socket. */
  const pair = async (opened: () => TlsEngine | Promise<TlsEngine>) => {
    const accepted = once(server, "connection") as Promise<[Socket]>;
    const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
    const stream = new TlsStream(socket, opened);
    const [peer] = await accepted;
    peer.setNoDelay(true);
    peer.on("error", () => {});
    open.push(stream, peer);
    return { stream, peer, socket };
  };
  const secured = async () => {
    const plain = plainEngine();
    const both = await pair(() => plain.engine);
    await once(both.peer, "data");
    both.peer.write("!");
    await once(both.stream, "secureConnect");
    return { ...both, ...plain };
  };
  /** What was read, and how that ended. */
  const read = async (stream: TlsStream) => {
    let text = "";
    stream.on("data", (chunk) => text += chunk);
    const reason = await new Promise<string>((resolve) => {
      stream.on("error", (error: Error & { code?: string }) => resolve(error.code ?? "error"));
      stream.on("end", () => resolve("end"));
      stream.on("close", () => resolve("close"));
    });
    return { text, reason };
  };

  it("fails when TCP ends during the handshake, and frees its engine once", async () => {
    for (const start of ["", "part"]) {
      const { engine, freed } = plainEngine();
      const { stream, peer } = await pair(() => engine);
      await once(peer, "data");
      if (start !== "") peer.write(start);
      peer.end();
      assert.deepEqual(await read(stream), { text: "", reason: "ECONNRESET" });
      assert.equal(freed(), 1);
    }
  });

  it("fails when TCP ends without close_notify, after what came before", async () => {
    const { stream, peer } = await secured();
    peer.end("all that came");
    assert.deepEqual(await read(stream), { text: "all that came", reason: "ECONNRESET" });
  });

  it("takes no part for the whole when it has itself said goodbye", async () => {
    const { stream, peer } = await secured();
    stream.end("the request");
    await once(peer, "end");
    peer.end("half of the ans");
    assert.deepEqual(await read(stream), { text: "half of the ans", reason: "close" });
  });

  it("ends with close_notify, whatever follows it", async () => {
    const { stream, peer } = await secured();
    peer.write(concat(utf8("whole"), Uint8Array.of(GOODBYE), utf8("forged")));
    assert.deepEqual(await read(stream), { text: "whole", reason: "end" });
  });

  it("takes the handshake's end, data and goodbye in one piece", async () => {
    const { engine } = plainEngine();
    let last: Uint8Array = NOTHING;
    // What belongs to the handshake stays with it; the rest comes to `decrypt`, as a library has it.
    const { stream, peer } = await pair(() => ({
      ...engine,
      handshake(bytes) {
        const end = bytes.indexOf(FINISHED);
        if (end < 0) return engine.handshake(bytes);
        last = bytes.subarray(end + 1);
        return { send: NOTHING, done: true };
      },
      decrypt(bytes) {
        const all = concat(last, bytes);
        last = NOTHING;
        return engine.decrypt(all);
      },
    }));
    await once(peer, "data");
    peer.write(concat(utf8("!data"), Uint8Array.of(GOODBYE)));
    assert.deepEqual(await read(stream), { text: "data", reason: "end" });
  });

  it("takes everything byte by byte", async () => {
    const { engine } = plainEngine();
    const { stream, peer, socket } = await pair(() => engine);
    await once(peer, "data");
    const done = read(stream);
    for (const byte of concat(utf8("abc!one by one"), Uint8Array.of(GOODBYE))) {
      const before = socket.bytesRead;
      peer.write(Uint8Array.of(byte));
      while (socket.bytesRead === before) await new Promise((resolve) => setImmediate(resolve));
    }
    assert.deepEqual(await done, { text: "one by one", reason: "end" });
  });

  it("has a peer wait that sends without end while a step of the handshake is under way", async () => {
    let finish: (() => void) | undefined;
    const { engine } = plainEngine();
    const { stream, peer, socket } = await pair(() => ({
      ...engine,
      handshake: (bytes) =>
        bytes.length === 0
          ? engine.handshake(bytes)
          : new Promise((resolve) => finish = () => resolve({ send: NOTHING, done: true })),
    }));
    await once(peer, "data");
    const flood = new Uint8Array(1 << 20).fill(120);
    for (let sent = 0; sent < 32; sent++) peer.write(flood);
    while (finish === undefined || !socket.isPaused()) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.ok(socket.bytesRead < 4 << 20, `${socket.bytesRead} bytes were taken`);
    finish();
    let length = 0;
    for await (const chunk of stream) {
      length += chunk.length;
      if (length > 16 << 20) break;
    }
    assert.ok(length > 16 << 20, "it goes on afterwards");
  });

  it("frees an engine that comes when nobody wants it any more", async () => {
    const { engine, freed } = plainEngine();
    let give: (engine: TlsEngine) => void;
    const { stream } = await pair(() => new Promise((resolve) => give = resolve));
    stream.destroy();
    give!(engine);
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(freed(), 1);
  });

  it("fails as its engine does, in the middle of a step or of data", async () => {
    const broken = Object.assign(new Error("broken"), { code: "BROKEN" });
    const { engine } = plainEngine();
    const throwing = () => {
      throw broken;
    };
    const inHandshake = await pair(() => ({ ...engine, handshake: throwing }));
    assert.equal((await read(inHandshake.stream)).reason, "BROKEN");
    const inData = await pair(() => ({ ...engine, decrypt: throwing }));
    await once(inData.peer, "data");
    inData.peer.write("!");
    assert.equal((await read(inData.stream)).reason, "BROKEN");
  });
});
