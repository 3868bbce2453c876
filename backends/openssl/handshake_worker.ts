/**
 * A thread that does handshakes, and waits in the middle of one until another thread has signed.
 *
 * Connections are made here, and freed where the handshake fails; one that is established is the
 * other thread's. Contexts and keys stay: the provider's callbacks belong to this thread, and who
 * calls one from another waits until this one is idle. So nothing that is done with an established
 * connection may need a callback. OpenSSL asks a provider for its algorithms once for each kind of
 * operation, during the handshake, and a key is freed with its context.
 *
 * @module
 */

import { parentPort, workerData } from "node:worker_threads";
import { isKeyboundError, KeyboundError } from "../../src/errors.ts";
import { loadFfi } from "../ffi/mod.ts";
import type { HandshakeStep } from "../tls_engine/engine.ts";
import { Connection } from "./connection.ts";
import { openConnection } from "./open_connection.ts";
import { Context } from "./context.ts";
import { HeldContext } from "./in_place.ts";
import type { Openssl } from "./openssl.ts";
import { SigningProvider } from "./provider.ts";
import type { SignNow } from "./provider_keys.ts";
import { loadOpenssl } from "./registry.ts";
import {
  SignatureSlot,
  type WorkerFailure,
  type WorkerOrder,
  type WorkerReport,
  type WorkerStart,
} from "./worker_messages.ts";

/** The other thread knows why there is no signature. */
class NoSignature extends Error {}

interface Opened {
  readonly connection: Connection;
}

class HandshakeWorker {
  readonly #openssl: Openssl;
  readonly #provider: SigningProvider;
  readonly #slot: SignatureSlot;
  readonly #report: (report: WorkerReport) => void;
  readonly #contexts = new Map<number, HeldContext>();
  readonly #connections = new Map<number, Opened | { readonly failure: unknown }>();
  /** The connection whose handshake is under way. */
  #current = 0;

  constructor(openssl: Openssl, slot: SignatureSlot, report: (report: WorkerReport) => void) {
    this.#openssl = openssl;
    this.#provider = new SigningProvider(openssl);
    this.#slot = slot;
    this.#report = report;
  }

  obey(order: WorkerOrder): void {
    switch (order.type) {
      case "context": {
        const { context, settings } = order;
        const create = () => new Context(this.#openssl, this.#provider, settings, this.#sign);
        this.#contexts.set(context, new HeldContext(create));
        break;
      }
      case "open":
        this.#open(order);
        break;
      case "step":
        this.#step(order.connection, order.received);
        break;
      case "drop":
        this.#drop(order.connection);
        break;
      case "freed":
        this.#release(order.context);
        break;
      case "retire":
        this.#contexts.get(order.context)?.retire();
        this.#forget(order.context);
        break;
      case "end":
        this.#end();
        break;
    }
  }

  readonly #sign: SignNow = (scheme, data) => {
    this.#slot.clear();
    this.#report({ type: "sign", connection: this.#current, scheme, data });
    const signature = this.#slot.wait();
    if (signature === undefined) throw new NoSignature();
    return signature;
  };

  #open({ connection, context, target }: WorkerOrder & { type: "open" }): void {
    try {
      const held = this.#contexts.get(context)!;
      const handles = held.use((address) => openConnection(this.#openssl, address, target));
      const opened = new Connection(this.#openssl, handles, () => this.#release(context));
      this.#connections.set(connection, { connection: opened });
    } catch (failure) {
      this.#connections.set(connection, { failure });
    } finally {
      if (target.session !== undefined) this.#openssl.ssl.SSL_SESSION_free(target.session);
    }
  }

  #release(context: number): void {
    this.#contexts.get(context)?.release();
    this.#forget(context);
  }

  #forget(context: number): void {
    if (this.#contexts.get(context)?.over) this.#contexts.delete(context);
  }

  #step(number: number, received: Uint8Array): void {
    const opened = this.#connections.get(number);
    if (opened === undefined) return;
    this.#current = number;
    const step = this.#stepOf(opened, received);
    if (step.failure !== undefined) {
      this.#drop(number);
      const failure = toFailure(step.failure);
      this.#report({ type: "step", connection: number, send: step.send, failure });
    } else if (step.done && !("failure" in opened)) {
      this.#connections.delete(number);
      const handles = opened.connection.release();
      this.#report({ type: "step", connection: number, send: step.send, handles });
    } else {
      this.#report({ type: "step", connection: number, send: step.send });
    }
  }

  /** Whatever goes wrong is this connection's failure: the thread has others. */
  #stepOf(opened: Opened | { readonly failure: unknown }, received: Uint8Array): HandshakeStep {
    try {
      if ("failure" in opened) throw opened.failure;
      return opened.connection.handshake(received, () => this.#provider.rethrow());
    } catch (failure) {
      return { send: new Uint8Array(0), done: false, failure };
    }
  }

  #drop(number: number): void {
    const opened = this.#connections.get(number);
    this.#connections.delete(number);
    if (opened !== undefined && !("failure" in opened)) opened.connection.free();
  }

  #end(): void {
    for (const number of this.#connections.keys()) this.#drop(number);
    for (const context of this.#contexts.values()) context.retire();
    // With a context there may be connections that another thread still uses.
    if (this.#openssl.live.context === undefined) this.#provider.free();
    this.#report({ type: "ended", live: this.#openssl.live });
  }
}

function toFailure(error: unknown): WorkerFailure {
  if (error instanceof NoSignature) return { kind: "signer" };
  const { code = "EPROTO", message } = error as Error & { code?: string };
  if (isKeyboundError(error)) return { kind: "keybound", code: error.code, message };
  return { kind: "tls", code, message };
}

const port = parentPort;
if (port === null) {
  throw new KeyboundError("invalid_argument", "This module is a worker's. Import 'mod.ts'.");
}
const { libraries, slot } = workerData as WorkerStart;
// Orders that come before it is ready wait in the port.
const openssl = loadOpenssl(await loadFfi(), libraries);
const worker = new HandshakeWorker(
  openssl,
  new SignatureSlot(slot),
  (report) => port.postMessage(report),
);
port.on("message", (order: WorkerOrder) => worker.obey(order));
