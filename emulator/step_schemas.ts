/**
 * Steps and faults from outside, checked.
 *
 * @module
 */

import * as v from "valibot";
import { integer } from "./schemas.ts";
import type { ConnectionFault, Json, JsonObject, Step } from "./steps.ts";

const text = v.pipe(v.string(), v.maxLength(4096));
const times = v.optional(v.union([integer(1, 1_000_000), v.literal("forever")]));
const closing = v.optional(v.picklist(["reset", "fin"]));
const status = integer(200, 599);
const headers = v.record(
  v.pipe(v.string(), v.regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, "Not a header name.")),
  v.pipe(
    v.string(),
    v.maxLength(16_384),
    v.regex(/^[\t\x20-\x7e\x80-\xff]*$/, "Not a header value."),
  ),
);
const json: v.GenericSchema<unknown, Json> = v.lazy(() =>
  v.union([
    v.null(),
    v.boolean(),
    v.number(),
    v.string(),
    v.array(json),
    v.record(v.string(), json),
  ])
);
const jsonObject: v.GenericSchema<unknown, JsonObject> = v.record(v.string(), json);

const step = { times, delay: v.optional(integer(0, 600_000)) };

/** A {@linkcode Step}. */
export const stepSchema: v.GenericSchema<unknown, Step> = v.variant("kind", [
  v.strictObject({ kind: v.literal("pass"), ...step }),
  v.strictObject({
    kind: v.literal("respond"),
    status: v.optional(status),
    headers: v.optional(headers),
    json: v.optional(json),
    body: v.optional(v.string()),
    ...step,
  }),
  v.strictObject({
    kind: v.literal("amend"),
    status: v.optional(status),
    headers: v.optional(headers),
    removeHeaders: v.optional(v.array(text)),
    merge: v.optional(jsonObject),
    omit: v.optional(v.array(text)),
    ...step,
  }),
  v.strictObject({ kind: v.literal("hang"), ...step }),
  v.strictObject({ kind: v.literal("drop"), how: closing, ...step }),
  v.strictObject({
    kind: v.literal("truncate"),
    after: v.optional(integer(0, 2 ** 30)),
    how: closing,
    ...step,
  }),
  v.strictObject({
    kind: v.literal("flood"),
    bytes: integer(0, 2 ** 40),
    status: v.optional(status),
    ...step,
  }),
]);

const fault = { times, version: v.optional(v.picklist(["TLSv1.2", "TLSv1.3"])) };

/** A {@linkcode ConnectionFault}. */
export const faultSchema: v.GenericSchema<unknown, ConnectionFault> = v.variant("kind", [
  v.strictObject({ kind: v.literal("pass"), ...fault }),
  v.strictObject({
    kind: v.literal("alert"),
    alert: v.union([
      integer(0, 255),
      v.picklist([
        "handshake_failure",
        "bad_certificate",
        "unsupported_certificate",
        "certificate_revoked",
        "certificate_expired",
        "certificate_unknown",
        "illegal_parameter",
        "unknown_ca",
        "access_denied",
        "decode_error",
        "decrypt_error",
        "protocol_version",
        "internal_error",
        "certificate_required",
      ]),
    ]),
    ...fault,
  }),
  v.strictObject({
    kind: v.literal("close"),
    at: v.picklist(["accept", "client_hello", "second_flight"]),
    how: closing,
    ...fault,
  }),
  v.strictObject({ kind: v.literal("silent"), ...fault }),
  v.strictObject({ kind: v.literal("plain_http"), ...fault }),
]);
