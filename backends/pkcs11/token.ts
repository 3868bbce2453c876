/**
 * One token: found, logged in to, and reached again after it was away.
 *
 * @module
 */

import { KeyboundError } from "../../src/errors.ts";
import { connect, type Connection, disconnect } from "./connection.ts";
import { CKR } from "./constants.ts";
import type { Cryptoki, Handle } from "./cryptoki.ts";
import { InFlight } from "./in_flight.ts";
import type { Pkcs11Module } from "./module.ts";
import { type Operation, runElsewhere, runHere } from "../ffi/operation.ts";
import { parseOptions, type Pkcs11Options, type TokenSource } from "./options.ts";
import { type HeldModule, holdModule } from "./registry.ts";
import { classOf, ReturnCodeError } from "./return_codes.ts";
import type { TokenInfo } from "./structs.ts";

/** What is to be known for work with a token. */
export interface SessionFacts {
  /** The module's functions. */
  readonly cryptoki: Cryptoki;
  /** The session; nobody else uses it meanwhile. */
  readonly session: Handle;
  /** What the token said about itself when it was found. */
  readonly info: TokenInfo;
  /** A key's handle is good for as long as this doesn't change. */
  readonly version: string;
  /** Says that keys were destroyed, so that handles may come to mean others. */
  touch(): void;
}

/** What work with a token is given. */
export interface TokenSession extends SessionFacts {
  /** Runs an operation without blocking the event loop. */
  run<T>(operation: Operation<T>): Promise<T>;
}

/** Attempts at one piece of work: it, after a new login or session, after a restart. */
const ATTEMPTS = 3;

/** Attempts at a login, whatever was wrong: a token may count those that it doesn't answer. */
const LOGIN_ATTEMPTS = 2;

/** A token of a module. Nothing is loaded before the first use. */
export class Token {
  /** Signatures that its keys have made in this process. */
  signatures = 0;
  readonly #source: TokenSource;
  #held: Promise<HeldModule> | undefined;
  #connection: Promise<Connection> | undefined;
  /** The connection, once it is there: for who can't wait. */
  #current: { readonly module: Pkcs11Module; readonly connection: Connection } | undefined;
  #closed = false;
  #closing: Promise<void> | undefined;
  readonly #work = new InFlight();

  /** The token that these options name; throws `invalid_argument`. */
  constructor(options: Pkcs11Options) {
    this.#source = parseOptions(options);
  }

  /** The token as errors name it. */
  get subject(): string {
    const { token } = this.#source.uri;
    return token === undefined ? "The PKCS#11 token" : `The PKCS#11 token '${token}'`;
  }

  /** What tells the token and its module apart from others in this process. */
  get name(): string {
    const { modulePath, uri: { token, serial, manufacturer, model, slotId } } = this.#source;
    return JSON.stringify([modulePath, token, serial, manufacturer, model, slotId]);
  }

  /**
   * Runs `work` in a session, logged in. Work that fails for a session, login or device that was
   * lost is run again, once what was lost is there again: it must not mind.
   *
   * Rejects with `ReturnCodeError`, `missing_dependency`, `key_provider_unavailable`, `closed` or
   * what `work` rejects with.
   */
  async run<T>(
    work: (session: TokenSession) => Promise<T>,
    { writable = false }: { writable?: boolean } = {},
  ): Promise<T> {
    return await this.#open(() => this.#runAgain(work, writable));
  }

  async #runAgain<T>(
    work: (session: TokenSession) => Promise<T>,
    writable: boolean,
  ): Promise<T> {
    const { module } = await this.#hold();
    for (let attempt = 1;; attempt++) {
      const { epoch } = module;
      let connection: Connection | undefined;
      try {
        connection = await this.#connect(module);
        const lasting = connection;
        return await module.use(() => attemptOnce(module, lasting, writable, work));
      } catch (error) {
        const isLogin = error instanceof ReturnCodeError && error.operation === "C_Login";
        if (attempt >= (isLogin ? LOGIN_ATTEMPTS : ATTEMPTS)) throw error;
        if (!await this.#recover(module, connection?.epoch ?? epoch, connection, error)) {
          throw error;
        }
      }
    }
  }

  /**
   * Runs an operation at once, on this thread, in a session kept for that.
   *
   * Throws `ReturnCodeError`, or `key_provider_unavailable` where the token wasn't used yet or was
   * lost; it is then reached again in the background, so that a later call may succeed.
   */
  runNow<T>(operation: (session: SessionFacts) => Operation<T>): T {
    const { module, connection } = this.#current ?? {};
    const isConnected = module !== undefined && connection !== undefined && !this.#closed &&
      !module.isRestarting && connection.epoch === module.epoch;
    if (!isConnected) throw this.#reconnect();
    try {
      return runHere(operation(factsOf(module, connection.info, connection.anchor)));
    } catch (error) {
      const recovery = () => this.#recover(module, connection.epoch, connection, error);
      void this.#work.run(recovery).catch(() => {});
      throw error;
    }
  }

  /** Closes the sessions and gives the module back. Work under way is waited for. */
  close(): Promise<void> {
    this.#closed = true;
    return this.#closing ??= this.#end();
  }

  /** Runs `work` unless the token was closed. */
  async #open<T>(work: () => Promise<T>): Promise<T> {
    if (this.#closed) {
      throw new KeyboundError("closed", "This PKCS#11 backend was closed. Make a new one.");
    }
    return await this.#work.run(work);
  }

  async #end(): Promise<void> {
    await this.#work.idle();
    const held = await this.#held?.catch(() => undefined);
    const connection = await this.#connection?.catch(() => undefined);
    this.#forget();
    if (held === undefined) return;
    const { module } = held;
    if (connection?.epoch === module.epoch) await disconnect(module, connection);
    await held.release();
  }

  /**
   * Does what the error calls for, and says whether another attempt is worth it. What another has
   * done for the same loss isn't done again.
   */
  async #recover(
    module: Pkcs11Module,
    epoch: number,
    connection: Connection | undefined,
    error: unknown,
  ): Promise<boolean> {
    const kind = classOf(error);
    if (kind !== "device" && kind !== "login" && kind !== "session") return false;
    const isCurrent = connection !== undefined && this.#current?.connection === connection;
    if (isCurrent) this.#forget();
    if (kind === "device") await module.restart(epoch);
    else if (isCurrent && connection.epoch === module.epoch) {
      await module.use(() => disconnect(module, connection));
    }
    return true;
  }

  #hold(): Promise<HeldModule> {
    return this.#held ??= holdModule(this.#source.modulePath).catch((error) => {
      this.#held = undefined;
      throw error;
    });
  }

  async #connect(module: Pkcs11Module): Promise<Connection> {
    while (true) {
      const connecting = this.#connection ??= module.use(() => connect(module, this.#source));
      try {
        const connection = await connecting;
        if (connection.epoch === module.epoch) {
          this.#current = { module, connection };
          return connection;
        }
      } catch (error) {
        if (this.#connection === connecting) this.#forget();
        throw error;
      }
      if (this.#connection === connecting) this.#forget();
    }
  }

  #forget(): void {
    this.#connection = undefined;
    this.#current = undefined;
  }

  #reconnect(): KeyboundError {
    if (!this.#closed) void this.run(() => Promise.resolve()).catch(() => {});
    return new KeyboundError(
      "key_provider_unavailable",
      `${this.subject} is not connected just now; it is being reached again. Try again.`,
      { retryable: true },
    );
  }
}

async function attemptOnce<T>(
  module: Pkcs11Module,
  { epoch, slot, info, pool }: Connection,
  writable: boolean,
  work: (session: TokenSession) => Promise<T>,
): Promise<T> {
  // Whoever was before us may have restarted the module: the slots may be others.
  if (epoch !== module.epoch) throw new ReturnCodeError("C_OpenSession", CKR.SESSION_CLOSED);
  const { cryptoki } = module;
  const inSession = (session: Handle) =>
    work(Object.assign(factsOf(module, info, session), { run: runElsewhere }));
  if (!writable) return await pool.run(inSession);
  const session = await runElsewhere(cryptoki.openSession(slot, true));
  try {
    return await inSession(session);
  } finally {
    await runElsewhere(cryptoki.closeSession(session)).catch(() => {});
  }
}

function factsOf(module: Pkcs11Module, info: TokenInfo, session: Handle): SessionFacts {
  return {
    cryptoki: module.cryptoki,
    session,
    info,
    get version() {
      return `${module.epoch}.${module.revision}`;
    },
    touch: () => module.touch(),
  };
}
