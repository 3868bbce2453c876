/**
 * One worker, seen from the thread that signs for it.
 *
 * @module
 */

import { Worker } from "node:worker_threads";
import { type ErrorCode, KeyboundError } from "../../src/errors.ts";
import type { SigningKey } from "../../src/keys.ts";
import { raceSignal } from "../../src/single_flight.ts";
import type { HandshakeStep } from "../tls_engine/engine.ts";
import type { ConnectionHandles } from "./connection.ts";
import type { ConnectionTarget } from "./open_connection.ts";
import { tlsError } from "./errors.ts";
import type { OpensslLibraries } from "./find.ts";
import type { LiveObjects } from "./openssl.ts";
import { signature } from "./signing.ts";
import {
  SignatureSlot,
  type WorkerFailure,
  type WorkerOrder,
  type WorkerReport,
  type WorkerStart,
} from "./worker_messages.ts";

/** A handshake that the worker does. */
interface Pending {
  readonly key: SigningKey;
  /** Aborted when nobody wants the connection any more. */
  readonly controller: AbortController;
  /** What signing failed with. */
  signerFailure?: unknown;
  step?: {
    readonly resolve: (step: RemoteStep) => void;
    readonly reject: (reason: unknown) => void;
  };
}

/** A step, and the connection when that was the last one. */
export type RemoteStep = HandshakeStep & { readonly handles?: ConnectionHandles };

/** Throws `transport_not_available` where the runtime doesn't let this program start threads. */
function startWorker(workerData: WorkerStart): Worker {
  try {
    return new Worker(workerUrl(), { workerData });
  } catch (cause) {
    throw new KeyboundError(
      "transport_not_available",
      "This program may not start threads (Node: --allow-worker). Or use signing: 'in-place'.",
      { cause },
    );
  }
}

/** A worker and the handshakes it was given. */
export class WorkerThread {
  readonly #worker: Worker;
  readonly #slot: SignatureSlot;
  readonly #pending = new Map<number, Pending>();
  readonly #ended: Promise<void>;
  #last = 0;
  #failure: unknown;
  #live: LiveObjects = {};

  /** Starts it. It doesn't keep the process running. */
  constructor(libraries: OpensslLibraries) {
    const slot = SignatureSlot.create();
    this.#slot = new SignatureSlot(slot);
    const workerData: WorkerStart = { libraries, slot };
    this.#worker = startWorker(workerData);
    this.#ended = new Promise((resolve) => {
      const over = (failure: unknown) => {
        this.#fail(failure);
        resolve();
      };
      this.#worker.on("message", (report: WorkerReport) => {
        if (report.type === "step") this.#onStep(report);
        else if (report.type === "sign") void this.#onSign(report);
        else {
          this.#live = report.live;
          // Its memory is free by now, and it waits for nothing.
          void this.#worker.terminate().then(() => resolve(), () => resolve());
        }
      });
      this.#worker.on("error", over);
      this.#worker.on("exit", () => over(new Error("The worker has ended.")));
    });
    // Not before: a listener for messages keeps the process running again.
    this.#worker.unref();
  }

  /** Handshakes that it has. */
  get load(): number {
    return this.#pending.size;
  }

  /** Whether it has failed and takes no more. */
  get failed(): boolean {
    return this.#failure !== undefined;
  }

  /** Tells it what needs no answer. */
  order(order: WorkerOrder): void {
    if (!this.failed) this.#worker.postMessage(order);
  }

  /** Opens a connection of a context; its number. */
  open(context: number, target: ConnectionTarget, key: SigningKey): number {
    const connection = ++this.#last;
    this.#pending.set(connection, { key, controller: new AbortController() });
    this.order({ type: "open", connection, context, target });
    return connection;
  }

  /** Goes on with a handshake. */
  step(connection: number, received: Uint8Array): Promise<RemoteStep> {
    return new Promise((resolve, reject) => {
      const pending = this.#pending.get(connection);
      if (this.failed || pending === undefined) return reject(this.#failure ?? gone());
      pending.step = { resolve, reject };
      // A copy: what is sent along with a view is the whole buffer behind it.
      this.order({ type: "step", connection, received: received.slice() });
    });
  }

  /** Gives a handshake up; a signature for it isn't waited for. */
  drop(connection: number): void {
    const pending = this.#pending.get(connection);
    if (pending === undefined) return;
    // Until the worker has come back from a step, a connection may still be handed over.
    if (pending.step === undefined) this.#pending.delete(connection);
    this.order({ type: "drop", connection });
    pending.controller.abort(gone());
  }

  /** Ends it when it has done what it was told; what it then still held of OpenSSL. */
  async end(): Promise<LiveObjects> {
    // Whoever waits for the end may have nothing else that keeps the process running.
    this.#worker.ref();
    this.order({ type: "end" });
    await this.#ended;
    return this.#live;
  }

  #onStep({ connection, send, handles, failure }: WorkerReport & { type: "step" }): void {
    const pending = this.#pending.get(connection);
    const step = pending?.step;
    if (pending === undefined || step === undefined) return;
    delete pending.step;
    const over = failure !== undefined || handles !== undefined ||
      pending.controller.signal.aborted;
    if (over) this.#pending.delete(connection);
    if (failure !== undefined) {
      step.resolve({ send, done: false, failure: toError(failure, pending.signerFailure) });
    } else if (handles !== undefined) {
      step.resolve({ send, done: true, handles });
    } else {
      step.resolve({ send, done: false });
    }
  }

  async #onSign({ connection, scheme, data }: WorkerReport & { type: "sign" }): Promise<void> {
    const pending = this.#pending.get(connection);
    try {
      if (pending === undefined) throw gone();
      const { signal } = pending.controller;
      const signed = await raceSignal(signature(pending.key, scheme, data, signal), signal);
      this.#slot.put(signed);
    } catch (error) {
      if (pending !== undefined) pending.signerFailure = error;
      this.#slot.put(undefined);
    }
  }

  #fail(cause: unknown): void {
    if (this.failed) return;
    this.#failure = new KeyboundError(
      "transport_not_available",
      "The thread for TLS handshakes has ended. May this program start threads (Deno: --allow-read, Node: --allow-worker)? Try again, or use signing: 'in-place'.",
      { cause, retryable: true },
    );
    for (const { step, controller } of this.#pending.values()) {
      step?.reject(this.#failure);
      controller.abort(this.#failure);
    }
    this.#pending.clear();
  }
}

/** The worker's module: beside this one, in whatever form this one is. */
function workerUrl(): URL {
  const url = import.meta.url;
  return new URL(url.endsWith(".ts") ? "./handshake_worker.ts" : "./handshake_worker.js", url);
}

function toError(failure: WorkerFailure, signerFailure: unknown): unknown {
  switch (failure.kind) {
    case "signer":
      return signerFailure ?? gone();
    case "keybound":
      return new KeyboundError(failure.code as ErrorCode, failure.message);
    case "tls":
      return tlsError(failure.code, failure.message);
  }
}

function gone(): Error {
  return tlsError("ERR_SOCKET_CLOSED", "The connection was ended.");
}
