/**
 * What a test and its server process tell each other: JSON, one value a line.
 *
 * @module
 */

import type { Closing, HandshakePoint } from "../../emulator/tls_fault/mod.ts";
import type { TlsVersion } from "../../src/transports.ts";
import type { ServerPem } from "./tls_identities.ts";

/** A server that speaks HTTP and asks for a client certificate. */
export interface HttpsSpec extends ServerPem {
  readonly kind: "https";
  /** PEM of the authority whose clients it takes, and no others. */
  readonly clientCa: string;
  readonly minVersion?: TlsVersion;
  readonly maxVersion?: TlsVersion;
}

/** A server that says something after the handshake, or nothing, and ends the connection. */
export interface TlsSpec extends ServerPem {
  readonly kind: "tls";
  readonly version: TlsVersion;
  /** Whether it waits for the request before it acts. */
  readonly await: "handshake" | "request";
  /** What it sends. @default nothing */
  readonly send?: string;
  /** How the connection ends; without it, it stays open. */
  readonly close?: Closing;
}

/** A server whose handshake fails. */
export interface FaultSpec extends ServerPem {
  readonly kind: "fault";
  readonly version?: TlsVersion;
  /** The alert, after the client's second flight; without it, the connection ends without one. */
  readonly alert?: number;
  /** Where it ends without an alert. @default "second_flight" */
  readonly at?: HandshakePoint;
  readonly close: Closing;
}

/** A server that isn't one: it is silent, or answers in plain HTTP. */
export interface DumbSpec {
  readonly kind: "silent" | "plain_http";
}

/** A server that accepts no connection: to connect to it never ends. */
export interface DeafSpec {
  readonly kind: "deaf";
}

/** Any server. */
export type ServerSpec = HttpsSpec | TlsSpec | FaultSpec | DumbSpec | DeafSpec;

/** First line to the server process: the servers it is to run, by name. */
export type ServerSpecs = Readonly<Record<string, ServerSpec>>;

/** First line from it: the ports on 127.0.0.1, by name. */
export interface Ready {
  readonly ports: Readonly<Record<string, number>>;
}

/** Something that happened; every later line. */
export interface ServerEvent {
  /** Name of the server. */
  readonly server: string;
  /**
   * `connection`: TCP accepted. `closed`: a TCP connection ended. `request`: a request was read to
   * its end. `data`: application data arrived. `report`: a faulty handshake is over.
   */
  readonly event: "connection" | "closed" | "request" | "data" | "report";
  /** Number of the connection, from 1. */
  readonly connection: number;
  /** `request`: its path. */
  readonly path?: string;
  /** `report`: how many certificates the client presented; -1 where it gave up before. */
  readonly certificates?: number;
}

/** What `/report` answers: the request as the server saw it. */
export interface RequestReport {
  readonly method: string;
  readonly path: string;
  /** Header names and values in turn. */
  readonly headers: readonly string[];
  readonly body: string;
  /** SHA-256 of the client certificate, lower-case hex; `null` without one. */
  readonly certificate: string | null;
  readonly authorized: boolean;
  readonly protocol: string;
  /** Number of the connection, and of the request on it, from 1. */
  readonly connection: number;
  readonly request: number;
  readonly sessionReused: boolean;
  /** What was agreed on by ALPN (RFC 7301). */
  readonly alpn: string | null;
}
