/**
 * Handshakes on the thread that asks for them: for keys that sign without a promise.
 *
 * @module
 */

import type { SigningKey, SyncSigner } from "../../src/keys.ts";
import type { EngineTarget, TlsEngine } from "../tls_engine/engine.ts";
import { Connection, type ConnectionHandles } from "./connection.ts";
import { openConnection } from "./open_connection.ts";
import { Context, type ContextSettings } from "./context.ts";
import { type Handshake, OpensslEngine } from "./engine.ts";
import type { Openssl } from "./openssl.ts";
import type { HeldProvider } from "./registry.ts";
import { freeSession, Sessions } from "./sessions.ts";
import { signingNow } from "./signing.ts";

/** Where the engines of one credential come from. */
export interface EngineSource {
  /** A new engine; throws or rejects before any network where there can be none. */
  open(target: EngineTarget): TlsEngine;
  /** Forgets sessions and key; engines that are open go on. */
  retire(): void;
}

/** A context that lives as long as a connection needs it, or until it is retired. */
export class HeldContext {
  readonly #create: () => Context;
  #context: Context | undefined;
  #connections = 0;
  #retired = false;

  /** Made when a connection needs it. */
  constructor(create: () => Context) {
    this.#create = create;
  }

  /** A connection's handles, opened with the context; `release` must be called when it is freed. */
  use<T>(open: (context: bigint) => T): T {
    const context = this.#context ??= this.#create();
    this.#connections++;
    try {
      return open(context.address);
    } catch (error) {
      this.release();
      throw error;
    }
  }

  /** A connection was freed. */
  release(): void {
    this.#connections--;
    this.#freeUnused();
  }

  /** It isn't kept any longer than its connections. */
  retire(): void {
    this.#retired = true;
    this.#freeUnused();
  }

  /** Whether it was retired and has no connections. */
  get over(): boolean {
    return this.#retired && this.#connections === 0;
  }

  #freeUnused(): void {
    if (!this.over) return;
    this.#context?.free();
    this.#context = undefined;
  }
}

/** Engines whose handshakes sign by `key` as they go. */
export class InPlaceSource implements EngineSource {
  readonly #openssl: Openssl;
  readonly #held: HeldProvider;
  readonly #context: HeldContext;
  readonly #sessions: Sessions;

  /** Nothing is made yet. At most one handshake a turn of the event loop goes on: one signature. */
  constructor(
    openssl: Openssl,
    held: HeldProvider,
    settings: ContextSettings,
    key: SigningKey & SyncSigner,
  ) {
    this.#openssl = openssl;
    this.#held = held;
    this.#sessions = new Sessions(openssl);
    this.#context = new HeldContext(() =>
      new Context(openssl, held.provider, settings, signingNow(key))
    );
  }

  open({ host, session: name }: EngineTarget): TlsEngine {
    const openssl = this.#openssl;
    const { provider, turns } = this.#held;
    const session = this.#sessions.take(name);
    const target = { host, ...(session === undefined ? {} : { session }) };
    let handles: ConnectionHandles;
    try {
      handles = this.#context.use((context) => openConnection(openssl, context, target));
    } finally {
      freeSession(openssl, session);
    }
    const connection = new Connection(openssl, handles, () => this.#context.release());
    const step = (received: Uint8Array) => connection.handshake(received, () => provider.rethrow());
    const handshake: Handshake = {
      // Nothing is signed before the server has spoken.
      step: (received) => received.length === 0 ? step(received) : turns.run(() => step(received)),
      connection: () => connection,
      free: () => connection.free(),
    };
    return new OpensslEngine(handshake, this.#sessions, name);
  }

  retire(): void {
    this.#sessions.close();
    this.#context.retire();
  }
}
