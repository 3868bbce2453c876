/**
 * What the library tells about itself. No event holds a token, key, claim or full identity.
 *
 * @module
 */

import { type ErrorCode, KeyboundError } from "./errors.ts";
import type { KeyStrength } from "./keys.ts";
import type { FailureClass } from "./transports.ts";

/** Why a certificate was thrown away. */
export type EvictReason =
  | "key_dead"
  | "key_mismatch"
  | "credential_rejected"
  | "connection_reset"
  | "invalid_client";

/** Fields of every event. */
export interface EventBase {
  /** Milliseconds since the Unix epoch. */
  readonly time: number;
  /** Correlation id (UUID) of the acquisition it belongs to. */
  readonly correlationId: string;
  /** The last 8 characters of the certificate alias and its length: enough to tell aliases apart. */
  readonly alias: string;
}

/** A signature was asked of a key to prove that it lives. */
export interface ProbeEvent extends EventBase {
  /** Tells the events apart. */
  readonly type: "probe";
  /** When a stored binding was loaded, a proof had aged, after a failure, or before a mint. */
  readonly trigger: "load" | "stale" | "suspect" | "mint";
  /** Whether a signature came and verified. */
  readonly outcome: "alive" | "dead";
  /** Milliseconds it took. */
  readonly duration: number;
}

/** A certificate and the tokens bound to it were thrown away. */
export interface EvictEvent extends EventBase {
  /** Tells the events apart. */
  readonly type: "evict";
  /** Why. */
  readonly reason: EvictReason;
  /** Tokens that went with it. */
  readonly tokens: number;
}

/** A certificate was issued. */
export interface MintEvent extends EventBase {
  /** Tells the events apart. */
  readonly type: "mint";
  /** A first certificate, a planned successor, or the cure of a dead or rejected one. */
  readonly reason: "cold" | "renewal" | "heal";
  /** Where the key lives. */
  readonly strength: KeyStrength;
  /** Whether the key was attested. */
  readonly attested: boolean;
  /** End of its life, in milliseconds since the Unix epoch. */
  readonly notAfter: number;
  /** Milliseconds it took. */
  readonly duration: number;
}

/** A binding was taken from the store, perhaps made by another process. */
export interface AdoptEvent extends EventBase {
  /** Tells the events apart. */
  readonly type: "adopt";
  /** End of its life, in milliseconds since the Unix epoch. */
  readonly notAfter: number;
}

/** A binding failed on the wire and this is what was decided. */
export interface HealEvent extends EventBase {
  /** Tells the events apart. */
  readonly type: "heal";
  /** What made it suspect. */
  readonly cause: EvictReason;
  /** Whether a successor is sought (a mint or adoption follows) or the cool-down forbids it. */
  readonly outcome: "started" | "cooldown";
}

/** A request is going to be repeated. */
export interface RetryEvent extends EventBase {
  /** Tells the events apart. */
  readonly type: "retry";
  /** Where. */
  readonly endpoint: EndpointName;
  /** The repetition's number, from 1. */
  readonly attempt: number;
  /** Milliseconds until then. */
  readonly delay: number;
  /** Status that caused it; `undefined` for a timeout. */
  readonly status: number | undefined;
}

/** A request failed on the wire. */
export interface FailureEvent extends EventBase {
  /** Tells the events apart. */
  readonly type: "failure";
  /** Where. */
  readonly endpoint: EndpointName;
  /** What the failure means. */
  readonly class: FailureClass;
  /** TLS alert by name, where one was received. */
  readonly alert?: string;
}

/** A token was looked for. */
export interface CacheEvent extends EventBase {
  /** Tells the events apart. */
  readonly type: "cache";
  /** Whether it was there. */
  readonly outcome: "hit" | "miss";
}

/** A token was obtained from the token endpoint. */
export interface TokenEvent extends EventBase {
  /** Tells the events apart. */
  readonly type: "token";
  /** Milliseconds the whole acquisition took. */
  readonly duration: number;
  /** End of the token's life, in milliseconds since the Unix epoch. */
  readonly expiresOn: number;
}

/** Work in the background ended: a token's refresh or a certificate's renewal. */
export interface BackgroundEvent extends EventBase {
  /** Tells the events apart. */
  readonly type: "refresh" | "renew";
  /** How it ended. */
  readonly outcome: "done" | "failed";
  /** Why it failed; `undefined` for what isn't an error of this library. */
  readonly code?: ErrorCode | undefined;
}

/** A certificate store failed; the acquisition went on without it. */
export interface StoreEvent extends EventBase {
  /** Tells the events apart. */
  readonly type: "store";
  /** What failed. */
  readonly operation: "list" | "put" | "evict" | "lock";
  /** Why. */
  readonly code: ErrorCode;
}

/** Endpoints, as events and errors name them. */
export type EndpointName =
  | "discovery"
  | "getplatformmetadata"
  | "introspection"
  | "issuecredential"
  | "resource"
  | "source"
  | "token";

/** Everything that `onEvent` receives. */
export type KeyboundEvent =
  | AdoptEvent
  | BackgroundEvent
  | CacheEvent
  | EvictEvent
  | FailureEvent
  | HealEvent
  | MintEvent
  | ProbeEvent
  | RetryEvent
  | StoreEvent
  | TokenEvent;

/** Receives events as they happen. What it throws is ignored. */
export type EventListener = (event: KeyboundEvent) => void;

type WithoutBase<T> = T extends KeyboundEvent ? Omit<T, keyof EventBase> : never;

/** An event's own fields: what an {@linkcode Emit} function takes. */
export type EventFields = WithoutBase<KeyboundEvent>;

/** Reports an event of one acquisition. */
export type Emit = (event: EventFields) => void;

/** An {@linkcode Emit} that stamps each event with time, correlation id and masked alias. */
export function emitter(
  listener: EventListener | undefined,
  now: () => number,
  correlationId: string,
  alias: string,
): Emit {
  if (listener === undefined) return () => {};
  const masked = maskAlias(alias);
  return (fields) => {
    try {
      listener({ time: now(), correlationId, alias: masked, ...fields } as KeyboundEvent);
    } catch {
      // A listener's trouble is not the acquisition's.
    }
  };
}

/** Reports how work in the background ends, and lets nobody else hear of its failure. */
export function emitOutcome(
  emit: Emit,
  type: BackgroundEvent["type"],
  work: Promise<unknown>,
): void {
  work.then(() => emit({ type, outcome: "done" }), (error) => {
    const code = error instanceof KeyboundError ? error.code : undefined;
    emit({ type, outcome: "failed", code });
  });
}

/** The last 8 characters of an alias and its length (protocol.md section 9.3). */
export function maskAlias(alias: string): string {
  return `…${alias.slice(-8)}(${alias.length})`;
}
