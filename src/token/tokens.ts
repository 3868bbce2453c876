/**
 * Tokens by what is asked for: from memory where one is there, else from the server, the same
 * question asked once.
 *
 * @module
 */

import type { FlightContext } from "../binding/context.ts";
import type { Clock } from "../clock.ts";
import { KeyboundError } from "../errors.ts";
import { emitOutcome, emitter, type EventListener } from "../events.ts";
import type { AcquisitionContext } from "../imds/request.ts";
import { SingleFlight } from "../single_flight.ts";
import { type CacheableToken, TokenCache } from "./cache.ts";

/** What every question for a token can say. */
export interface TokenQuestion {
  /** A server's claims challenge (JSON text): bypasses the cache. */
  claims?: string | undefined;
  /** Whether to ask the server even if a token is cached. */
  forceRefresh?: boolean | undefined;
  /** UUID for every request of the acquisition. */
  correlationId?: string | undefined;
  /** Ends the wait. */
  signal?: AbortSignal | undefined;
}

/** One way to tokens of one kind. */
export interface TokenWay<Question, Token> {
  /** Everything that its tokens differ by, claims apart. Throws for a question that can't be right. */
  cacheKey(question: Question): string;
  /** Whose token it is, for events. */
  alias(question: Question): string;
  /** Checks the question and gives what asks the server. */
  acquirer(question: Question, cacheKey: string): (context: FlightContext) => Promise<Token>;
}

/** What answering takes besides the server. */
export interface TokenSetting {
  /** Time. */
  readonly clock: Clock;
  /** Ids of acquisitions. */
  readonly crypto: Pick<Crypto, "randomUUID">;
  /** Told of everything that happens. */
  readonly onEvent: EventListener | undefined;
}

/** Answers questions for tokens. */
export class Tokens<Token extends CacheableToken> {
  /** Those in memory. */
  readonly cache: TokenCache<Token>;
  readonly #flights = new SingleFlight<Token>();
  readonly #setting: TokenSetting;
  #ended: KeyboundError | undefined;

  /** None yet; at most `capacity` will be kept. */
  constructor(capacity: number, setting: TokenSetting) {
    this.cache = new TokenCache(capacity);
    this.#setting = setting;
  }

  /** Starts an acquisition: one correlation id for all its requests and events. */
  readonly begin = (
    alias: string,
    correlationId: string = this.#setting.crypto.randomUUID(),
  ): AcquisitionContext => {
    if (!/^[\w-]{1,64}$/.test(correlationId)) {
      throw new KeyboundError("invalid_argument", "'correlationId' must be a UUID.");
    }
    const { onEvent, clock } = this.#setting;
    return { correlationId, emit: emitter(onEvent, () => clock.now(), correlationId, alias) };
  };

  /**
   * A token. Not async: a hit costs no promise but the cached one. Throws for a question that can't
   * be right.
   */
  get<Question extends TokenQuestion, T extends Token>(
    way: TokenWay<Question, T>,
    question: Question,
  ): Promise<T> {
    return this.cached(way, question) ?? this.acquire(way, question);
  }

  /** A token from the server, whatever is in memory. */
  acquire<Question extends TokenQuestion, T extends Token>(
    way: TokenWay<Question, T>,
    question: Question,
    isRefresh: boolean = false,
  ): Promise<T> {
    const { claims, forceRefresh, correlationId, signal } = question;
    const cacheKey = way.cacheKey(question);
    const acquirer = way.acquirer(question, cacheKey);
    const context = this.begin(way.alias(question), correlationId);
    const acquired = this.#flights.run(
      [claims, forceRefresh, isRefresh, cacheKey].join("\n"),
      (flight) => acquirer({ ...context, signal: flight }),
      signal,
    );
    if (isRefresh) emitOutcome(context.emit, "refresh", acquired);
    return acquired as Promise<T>;
  }

  /** A token from memory, its refresh in the background started where it is due. */
  cached<Question extends TokenQuestion, T extends Token>(
    way: TokenWay<Question, T>,
    question: Question,
  ): Promise<T> | undefined {
    this.assertOpen();
    question.signal?.throwIfAborted();
    const cacheKey = way.cacheKey(question);
    if (question.claims !== undefined || question.forceRefresh === true) return undefined;
    const hit = this.cache.get(cacheKey, this.#setting.clock.now());
    if (this.#setting.onEvent !== undefined) {
      const { emit } = this.begin(way.alias(question), question.correlationId);
      emit({ type: "cache", outcome: hit === undefined ? "miss" : "hit" });
    }
    if (hit?.refreshDue) {
      // In the background, so it ends with nobody's signal and goes by an id of its own.
      const alone = { ...question, signal: undefined, correlationId: undefined };
      this.acquire(way, alone, true);
    }
    // Keys of different ways differ, so it is one of this way's.
    return hit?.promise as Promise<T> | undefined;
  }

  /** Aborts every acquisition under way with this reason; nothing is answered any more. */
  abortAll(reason: KeyboundError): void {
    this.#ended = reason;
    this.#flights.abortAll(reason);
  }

  /** Throws the reason after `abortAll`. */
  assertOpen(): void {
    if (this.#ended !== undefined) throw this.#ended;
  }
}
