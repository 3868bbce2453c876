/**
 * A TLS engine and a TCP socket as one stream of plaintext, with the events of a `TLSSocket`.
 *
 * @module
 */

import type { Socket } from "node:net";
import { setImmediate } from "node:timers";
import { concat } from "../../src/encoding.ts";
import { Backlog } from "./backlog.ts";
import type { HandshakeStep, TlsEngine } from "./engine.ts";
import { SocketStream } from "./socket_stream.ts";

type Done = (error?: Error | null) => void;

const NOTHING = new Uint8Array(0);

/**
 * Plaintext over TLS. Emits `connect` when TCP is, and `secureConnect` when the peer is verified;
 * nothing is sent before. A TCP end without `close_notify` is an error (`ECONNRESET`): what came
 * before it may not have been all.
 */
export class TlsStream extends SocketStream {
  /** Whether the peer is verified. */
  authorized = false;
  readonly #socket: Socket;
  #engine: TlsEngine | undefined;
  /** What came before a step of the handshake was over. */
  readonly #backlog = new Backlog();
  #stepping = false;
  /** Why nothing more will come. */
  #lost: Error | undefined;
  /** The client's last flight: it goes out together with the first data. */
  #lastFlight: Uint8Array = NOTHING;
  /** The write that waits for the handshake. */
  #held: (() => void) | undefined;
  #ended = false;
  #closing = false;

  /** Speaks TLS over `socket`, which it owns, by the engine that `open` gives. */
  constructor(socket: Socket, open: () => TlsEngine | Promise<TlsEngine>) {
    super(socket);
    // On Deno nobody listens any more once a response is complete: an end after that would be an
    // uncaught error. Who waits for something hears of it all the same.
    this.on("error", () => {});
    this.#socket = socket;
    socket.setNoDelay(true);
    // Both at once: the TCP handshake takes its time.
    const engine = Promise.resolve().then(() => this.destroyed ? undefined : open());
    engine.then((opened) => this.#begin(opened), (error) => this.destroy(error));
    socket.on("connect", () => this.emit("connect"));
    socket.on("data", (chunk: Uint8Array) => this.#onData(chunk));
    socket.on("end", () => this.#lose(this.#endedEarly()));
    socket.on("error", (error) => this.#lose(error));
    socket.on("close", () => this.#lose(this.#endedEarly()));
  }

  #begin(engine: TlsEngine | undefined): void {
    if (engine === undefined) return;
    if (this.destroyed) return engine.free();
    this.#engine = engine;
    const start = () => void this.#step(this.#takeBacklog());
    if (this.#socket.connecting) this.#socket.once("connect", start);
    else start();
  }

  /** One step of the handshake, and another if there is something for it. */
  async #step(received: Uint8Array): Promise<void> {
    this.#stepping = true;
    try {
      const result = this.#engine!.handshake(received);
      const step = result instanceof Promise ? await result : result;
      if (this.destroyed) return;
      if (step.done) this.#lastFlight = step.send;
      else this.#send(step.send);
      this.#after(step);
    } catch (error) {
      this.destroy(error as Error);
    }
  }

  #after(step: HandshakeStep): void {
    if (step.failure !== undefined) {
      // The alert goes out before the end does.
      this.#socket.end();
      this.destroy(step.failure as Error);
      return;
    }
    this.#stepping = false;
    if (step.done) return this.#secure();
    const more = this.#takeBacklog();
    if (more.length > 0) void this.#step(more);
    else this.#giveUp();
  }

  #secure(): void {
    this.authorized = true;
    this.emit("secureConnect");
    const held = this.#held;
    this.#held = undefined;
    held?.();
    if (this.destroyed) return;
    // There may be nothing to say yet.
    setImmediate(() => this.#send(NOTHING));
    // The first records may have come with the end of the handshake.
    this.#receive(this.#takeBacklog());
    this.#giveUp();
  }

  #takeBacklog(): Uint8Array {
    const bytes = this.#backlog.take();
    if (this.#socket.isPaused()) this.#socket.resume();
    return bytes;
  }

  #onData(chunk: Uint8Array): void {
    if (this.destroyed) return;
    if (this.authorized) this.#receive(chunk);
    else if (!this.#stepping && this.#engine !== undefined) void this.#step(chunk);
    else if (this.#backlog.add(chunk)) this.#socket.pause();
  }

  #receive(chunk: Uint8Array): void {
    if (this.#ended) return;
    try {
      const { data, send, ended, failure } = this.#engine!.decrypt(chunk);
      this.#send(send);
      for (const part of data) {
        if (!this.push(part)) this.#socket.pause();
        if (this.destroyed) return;
      }
      if (failure !== undefined) {
        this.#socket.end();
        this.destroy(failure as Error);
      } else if (ended) {
        this.#ended = true;
        this.push(null);
      }
    } catch (error) {
      this.destroy(error as Error);
    }
  }

  /** The connection is gone; what came before, an alert say, is still looked at. */
  #lose(reason: Error): void {
    this.#lost ??= reason;
    if (!this.#stepping) this.#giveUp();
  }

  #giveUp(): void {
    if (this.#lost === undefined || this.#ended || this.destroyed) return;
    // Who has said goodbye doesn't mind, unless he still reads: to him it isn't the end.
    if (this.#closing && this.authorized) this.destroy();
    else this.destroy(this.#lost);
  }

  #endedEarly(): Error {
    const when = this.authorized ? "without saying so in TLS" : "during the TLS handshake";
    const error = new Error(`The connection was ended ${when}.`);
    return Object.assign(error, { code: "ECONNRESET" });
  }

  #send(bytes: Uint8Array): boolean {
    const flight = this.#lastFlight;
    this.#lastFlight = NOTHING;
    const all = flight.length === 0 ? bytes : concat(flight, bytes);
    return all.length === 0 || this.#socket.writableEnded || this.#socket.destroyed ||
      this.#socket.write(all);
  }

  override _read(): void {
    this.#socket.resume();
  }

  override _write(chunk: Uint8Array, _encoding: BufferEncoding, done: Done): void {
    this.#write(chunk, done);
  }

  override _writev(chunks: { chunk: Uint8Array }[], done: Done): void {
    this.#write(concat(...chunks.map(({ chunk }) => chunk)), done);
  }

  #write(chunk: Uint8Array, done: Done): void {
    if (!this.authorized) {
      this.#held = () => this.#write(chunk, done);
      return;
    }
    try {
      if (this.#send(this.#engine!.encrypt(chunk))) done();
      else this.#socket.once("drain", () => done());
    } catch (error) {
      done(error as Error);
    }
  }

  override _final(done: Done): void {
    this.#closing = true;
    try {
      if (this.authorized) this.#send(this.#engine!.end());
    } catch {
      // There is nobody left to say goodbye to.
    }
    this.#socket.end();
    done();
  }

  override _destroy(error: Error | null, done: Done): void {
    this.#engine?.free();
    this.#held = undefined;
    // What was written, an alert say, still goes out; nothing more is read.
    if (this.#socket.writableEnded) this.#socket.destroySoon();
    else this.#socket.destroy();
    done(error);
  }
}
