/**
 * What a thread that does handshakes and the one that signs for it tell each other.
 *
 * @module
 */

import type { Bytes } from "../../src/encoding.ts";
import type { ErrorCode } from "../../src/errors.ts";
import type { SignatureScheme } from "../../src/keys.ts";
import type { ConnectionHandles } from "./connection.ts";
import type { ConnectionTarget } from "./open_connection.ts";
import type { ContextSettings } from "./context.ts";
import type { OpensslLibraries } from "./find.ts";
import type { LiveObjects } from "./openssl.ts";
import { MAX_SIGNATURE } from "./signing.ts";

/** What the worker is started with. */
export interface WorkerStart {
  readonly libraries: OpensslLibraries;
  /** Where signatures are handed over: see {@linkcode SignatureSlot}. */
  readonly slot: SharedArrayBuffer;
}

/** To the worker. */
export type WorkerOrder =
  /** Makes a context, known by its number from then on. */
  | { readonly type: "context"; readonly context: number; readonly settings: ContextSettings }
  /**
   * Opens a connection; what fails is told with its first step. The session, if there is one, is the
   * worker's to free.
   */
  | {
    readonly type: "open";
    readonly connection: number;
    readonly context: number;
    readonly target: ConnectionTarget;
  }
  /** Goes on with a handshake. */
  | { readonly type: "step"; readonly connection: number; readonly received: Uint8Array }
  /** Gives a handshake up. */
  | { readonly type: "drop"; readonly connection: number }
  /** A connection of this context that was handed over has been freed. */
  | { readonly type: "freed"; readonly context: number }
  /** The context is not needed for new connections. */
  | { readonly type: "retire"; readonly context: number }
  /** Frees all and ends. */
  | { readonly type: "end" };

/** From the worker. */
export type WorkerReport =
  /** A step of a handshake is over; `handles` hands the connection over when it is done. */
  | {
    readonly type: "step";
    readonly connection: number;
    readonly send: Uint8Array;
    readonly handles?: ConnectionHandles;
    readonly failure?: WorkerFailure;
  }
  /** Waits for a signature in the slot. */
  | {
    readonly type: "sign";
    readonly connection: number;
    readonly scheme: SignatureScheme;
    readonly data: Bytes;
  }
  /** It is over; what it still holds of OpenSSL, nothing if all is well. */
  | { readonly type: "ended"; readonly live: LiveObjects };

/** A failure as it goes from thread to thread. */
export type WorkerFailure =
  /** What the other thread's own attempt to sign failed with. */
  | { readonly kind: "signer" }
  /** An error of this library. */
  | { readonly kind: "keybound"; readonly code: ErrorCode; readonly message: string }
  /** An error of TLS. */
  | { readonly kind: "tls"; readonly code: string; readonly message: string };

/** A signature on its way from thread to thread: a flag, a length and the bytes. */
export class SignatureSlot {
  readonly #state: Int32Array;
  readonly #bytes: Uint8Array;

  /** Over a buffer of {@linkcode SignatureSlot.create}. */
  constructor(buffer: SharedArrayBuffer) {
    this.#state = new Int32Array(buffer, 0, 2);
    this.#bytes = new Uint8Array(buffer, 8);
  }

  /** Memory for one. */
  static create(): SharedArrayBuffer {
    return new SharedArrayBuffer(8 + MAX_SIGNATURE);
  }

  /** Makes it empty, before the other thread is asked. */
  clear(): void {
    Atomics.store(this.#state, 0, 0);
  }

  /** Blocks this thread until the other has put something; `undefined` where that has failed. */
  wait(): Bytes | undefined {
    // The notification of the last one may come only now, after `clear`: it says nothing.
    while (Atomics.load(this.#state, 0) === 0) Atomics.wait(this.#state, 0, 0);
    const length = Atomics.load(this.#state, 1);
    return length < 0 ? undefined : this.#bytes.slice(0, length) as Bytes;
  }

  /** Hands a signature over, or says that there is none. */
  put(signature: Uint8Array | undefined): void {
    if (signature !== undefined) this.#bytes.set(signature);
    Atomics.store(this.#state, 1, signature?.length ?? -1);
    Atomics.store(this.#state, 0, 1);
    Atomics.notify(this.#state, 0);
  }
}
