/**
 * The script vocabulary: what an endpoint or a listener does instead of its own behaviour.
 *
 * A step is plain data, so it travels over the admin endpoint unchanged. Each endpoint has a queue
 * of steps and each request takes one; with an empty queue the endpoint behaves as the real thing.
 *
 * @example The first token request fails with `invalid_client`, the next ones succeed
 * ```ts
 * await emulator.script("token", invalidClient());
 * ```
 *
 * @example One good answer, then throttled twice, then good again
 * ```ts
 * await emulator.script("token", { kind: "pass" }, { ...throttled(2), times: 2 });
 * ```
 *
 * @example A metadata service without its `Server` header, until `reset`
 * ```ts
 * await emulator.script("getplatformmetadata", {
 *   kind: "amend",
 *   removeHeaders: ["server"],
 *   times: "forever",
 * });
 * ```
 *
 * @example The next connection to the token endpoint is refused with a TLS alert
 * ```ts
 * await emulator.fault("token", { kind: "alert", alert: "certificate_revoked" });
 * ```
 *
 * @module
 */

/** A value that JSON can carry. */
export type Json = null | boolean | number | string | readonly Json[] | JsonObject;

/** A JSON object. */
export interface JsonObject {
  /** A member. */
  readonly [name: string]: Json;
}

/** What every step has. */
export interface StepBase {
  /** How many requests take this step before the next one is up. @default 1 */
  readonly times?: number | "forever";
  /** Milliseconds to wait before acting, once the request has been read. @default 0 */
  readonly delay?: number;
}

/** The endpoint's own behaviour; useful to count requests off, or with a `delay`. */
export interface PassStep extends StepBase {
  /** Which step this is. */
  readonly kind: "pass";
}

/** This answer, whatever the request was. Redirects are this with a `location` header. */
export interface RespondStep extends StepBase {
  /** Which step this is. */
  readonly kind: "respond";
  /** HTTP status. @default 200 */
  readonly status?: number;
  /** Response headers. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Body, sent as `application/json`. */
  readonly json?: Json;
  /** Body as it is, sent without a content type unless `headers` has one; `json` goes first. */
  readonly body?: string;
}

/** The endpoint's own answer, altered. */
export interface AmendStep extends StepBase {
  /** Which step this is. */
  readonly kind: "amend";
  /** Another HTTP status. */
  readonly status?: number;
  /** Headers to set. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Headers to take away, in any case. */
  readonly removeHeaders?: readonly string[];
  /** Members to set in the JSON body, top level. */
  readonly merge?: JsonObject;
  /** Members to take out of the JSON body: `clientId`, or nested as `cuId.vmId`. */
  readonly omit?: readonly string[];
}

/** The request is read and never answered; the connection stays open. */
export interface HangStep extends StepBase {
  /** Which step this is. */
  readonly kind: "hang";
}

/** How a TCP connection ends: RST, or FIN (over TLS: without a close_notify). */
export type Closing = "reset" | "fin";

/** The request is read, then the connection ends without one byte of an answer. */
export interface DropStep extends StepBase {
  /** Which step this is. */
  readonly kind: "drop";
  /** How the connection ends. @default "reset" */
  readonly how?: Closing;
}

/** The endpoint's own answer, cut off: the headers promise more than the body brings. */
export interface TruncateStep extends StepBase {
  /** Which step this is. */
  readonly kind: "truncate";
  /** Bytes of the body to send before the connection ends. @default 10 */
  readonly after?: number;
  /** How the connection ends. @default "fin" */
  readonly how?: Closing;
}

/** A JSON answer of this size, sent piece by piece for as long as the client listens. */
export interface FloodStep extends StepBase {
  /** Which step this is. */
  readonly kind: "flood";
  /** Size of the body in bytes. */
  readonly bytes: number;
  /** HTTP status. @default 200 */
  readonly status?: number;
}

/** What an endpoint does with one request. */
export type Step =
  | PassStep
  | RespondStep
  | AmendStep
  | HangStep
  | DropStep
  | TruncateStep
  | FloodStep;

/** TLS alerts by name (RFC 8446 section 6). */
export type AlertName =
  | "handshake_failure"
  | "bad_certificate"
  | "unsupported_certificate"
  | "certificate_revoked"
  | "certificate_expired"
  | "certificate_unknown"
  | "illegal_parameter"
  | "unknown_ca"
  | "access_denied"
  | "decode_error"
  | "decrypt_error"
  | "protocol_version"
  | "internal_error"
  | "certificate_required";

/** Where a handshake is cut off. */
export type HandshakePoint =
  /** TCP accepted, nothing read. */
  | "accept"
  /** The ClientHello was read. */
  | "client_hello"
  /** The client's second flight was read: its certificate, and the proof of its key. */
  | "second_flight";

/** What every connection fault has. */
export interface FaultBase {
  /** How many connections take this fault before the next one is up. @default 1 */
  readonly times?: number | "forever";
  /** TLS version the faulty handshake speaks. @default "TLSv1.3" where the client offers it */
  readonly version?: "TLSv1.2" | "TLSv1.3";
}

/** A normal connection; useful to count connections off. */
export interface PassFault extends FaultBase {
  /** Which fault this is. */
  readonly kind: "pass";
}

/** A handshake that ends with this fatal alert, sent after the client's second flight. */
export interface AlertFault extends FaultBase {
  /** Which fault this is. */
  readonly kind: "alert";
  /** Name, or number 0 to 255. */
  readonly alert: AlertName | number;
}

/** A handshake that ends with the connection. */
export interface CloseFault extends FaultBase {
  /** Which fault this is. */
  readonly kind: "close";
  /** Where it ends. */
  readonly at: HandshakePoint;
  /** How the connection ends. @default "reset" */
  readonly how?: Closing;
}

/** A connection that is accepted and then ignored. */
export interface SilentFault extends FaultBase {
  /** Which fault this is. */
  readonly kind: "silent";
}

/** A server that answers the ClientHello in plain HTTP. */
export interface PlainHttpFault extends FaultBase {
  /** Which fault this is. */
  readonly kind: "plain_http";
}

/** What an mTLS listener does with one TCP connection, before any HTTP. */
export type ConnectionFault = PassFault | AlertFault | CloseFault | SilentFault | PlainHttpFault;
