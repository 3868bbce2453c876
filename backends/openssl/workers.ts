/**
 * Handshakes on other threads: for keys that sign by a promise.
 *
 * @module
 */

import type { SigningKey } from "../../src/keys.ts";
import { transportClosed } from "../../src/transport_rules.ts";
import type { EngineTarget, HandshakeStep, TlsEngine } from "../tls_engine/engine.ts";
import { Connection, type ConnectionHandles } from "./connection.ts";
import type { ContextSettings } from "./context.ts";
import { type Handshake, OpensslEngine } from "./engine.ts";
import { tlsError } from "./errors.ts";
import type { OpensslLibraries } from "./find.ts";
import type { EngineSource } from "./in_place.ts";
import type { LiveObjects, Openssl } from "./openssl.ts";
import { Sessions } from "./sessions.ts";
import { WorkerThread } from "./worker_thread.ts";

/** Most threads: so many handshakes can wait for their signatures at the same time. */
const MAX_WORKERS = 4;

/** Threads for handshakes, started as they are needed. */
export class Workers {
  readonly #libraries: OpensslLibraries;
  #threads: WorkerThread[] = [];
  #lastContext = 0;
  #ended = false;

  /** None yet. */
  constructor(libraries: OpensslLibraries) {
    this.#libraries = libraries;
  }

  /**
   * A thread with nothing to do, a new one, or the one with the least to do. Throws `closed` after
   * the end.
   */
  pick(): WorkerThread {
    if (this.#ended) throw transportClosed();
    this.#threads = [...this.threads];
    const [first] = this.#threads.toSorted((a, b) => a.load - b.load);
    if (first !== undefined && (first.load === 0 || this.#threads.length >= MAX_WORKERS)) {
      return first;
    }
    const thread = new WorkerThread(this.#libraries);
    this.#threads.push(thread);
    return thread;
  }

  /** Those that run. */
  get threads(): readonly WorkerThread[] {
    return this.#threads.filter(({ failed }) => !failed);
  }

  /** A number for a context, the same on all threads. */
  nextContext(): number {
    return ++this.#lastContext;
  }

  /** Ends all threads; what each still held of OpenSSL. */
  async end(): Promise<LiveObjects[]> {
    this.#ended = true;
    return await Promise.all(this.#threads.splice(0).map((thread) => thread.end()));
  }
}

/** Engines whose handshakes wait on another thread while `key` signs on this one. */
export class WorkerSource implements EngineSource {
  readonly #openssl: Openssl;
  readonly #workers: Workers;
  readonly #settings: ContextSettings;
  readonly #key: SigningKey;
  readonly #sessions: Sessions;
  readonly #context: number;
  /** Those that know the context. */
  readonly #threads = new Set<WorkerThread>();
  #retired = false;

  /** Nothing is made yet. */
  constructor(openssl: Openssl, workers: Workers, settings: ContextSettings, key: SigningKey) {
    this.#openssl = openssl;
    this.#workers = workers;
    this.#settings = settings;
    this.#key = key;
    this.#sessions = new Sessions(openssl);
    this.#context = workers.nextContext();
  }

  open({ host, session: name }: EngineTarget): TlsEngine {
    const thread = this.#workers.pick();
    // Who comes late gets a context for himself.
    const late = this.#retired;
    const context = late ? this.#workers.nextContext() : this.#context;
    if (late || !this.#threads.has(thread)) {
      thread.order({ type: "context", context, settings: this.#settings });
      if (!late) this.#threads.add(thread);
    }
    const session = this.#sessions.take(name);
    // It goes to the other thread.
    if (session !== undefined) this.#openssl.count("session", -1);
    const target = { host, ...(session === undefined ? {} : { session }) };
    const connection = thread.open(context, target, this.#key);
    if (late) thread.order({ type: "retire", context });
    const handshake = new RemoteHandshake(this.#openssl, thread, connection, context);
    return new OpensslEngine(handshake, this.#sessions, name);
  }

  retire(): void {
    this.#retired = true;
    this.#sessions.close();
    for (const thread of this.#threads) thread.order({ type: "retire", context: this.#context });
    this.#threads.clear();
  }
}

/** A handshake on another thread. */
class RemoteHandshake implements Handshake {
  readonly #openssl: Openssl;
  readonly #thread: WorkerThread;
  readonly #number: number;
  readonly #context: number;
  #handles: ConnectionHandles | undefined;
  #freed = false;

  constructor(openssl: Openssl, thread: WorkerThread, number: number, context: number) {
    this.#openssl = openssl;
    this.#thread = thread;
    this.#number = number;
    this.#context = context;
  }

  async step(received: Uint8Array): Promise<HandshakeStep> {
    const { handles, ...step } = await this.#thread.step(this.#number, received);
    this.#handles = handles;
    return step;
  }

  connection(): Connection {
    if (this.#handles === undefined) throw tlsError("EPROTO", "The TLS handshake isn't done.");
    const [thread, context] = [this.#thread, this.#context];
    return new Connection(
      this.#openssl,
      this.#handles,
      () => thread.order({ type: "freed", context }),
    );
  }

  free(): void {
    if (this.#freed) return;
    this.#freed = true;
    this.#thread.drop(this.#number);
  }
}
