/**
 * What sources answer, and what their refusals mean (protocol.md section 7.8).
 *
 * @module
 */

import * as v from "valibot";
import { type ErrorCode, KeyboundError } from "../errors.ts";
import type { Answer } from "../http.ts";
import { parseJson, text } from "../parse.ts";
import { imdsPolicy, managedIdentityPolicy } from "../policy/retry.ts";
import { refreshTime } from "../policy/token_life.ts";
import { describeErrorBody, scrub } from "../scrub.ts";
import { parseExpiry } from "./expiry.ts";
import type { BearerAnswer, SourceName } from "./source.ts";

/** RFC 6750 section 2.1: what a header can carry. */
const Success = v.looseObject({ access_token: text(/^[\x21-\x7e]{1,65536}$/) });

const Refusal = v.looseObject({ correlationId: text(/^[\w-]{1,64}$/) });

/** What the answer is about. */
export interface AnswerContext {
  /** Who answered. */
  readonly source: SourceName;
  /** UUID of the acquisition. */
  readonly correlationId: string;
  /** When the answer came, milliseconds since the epoch. */
  readonly now: number;
}

/**
 * The token of an answer. Throws `managed_identity_request_failed` for any status but 200 and for an
 * answer that lacks a token or its expiry, `managed_identity_response_parse_failure` for one that
 * isn't JSON, `invalid_timestamp_format` for an expiry that is no time, and
 * `invalid_token_provider_response_value` for one that is over.
 */
export function readBearerAnswer(answer: Answer, context: AnswerContext): BearerAnswer {
  const { source, now } = context;
  if (answer.status !== 200) throw refusal(answer, context);
  const refuse = (code: ErrorCode, what: string) =>
    new KeyboundError(code, `[${source}] The token response ${what}. It was thrown away.`, {
      status: 200,
      correlationId: context.correlationId,
      source,
    });
  if (answer.text.trim() === "") throw refuse("managed_identity_request_failed", "is empty");
  if (parseJson(v.custom(() => true), answer.text) === undefined) {
    throw refuse("managed_identity_response_parse_failure", "isn't JSON");
  }
  const message = parseJson(Success, answer.text);
  const expiry = message && lastExpiry(message);
  if (message === undefined || expiry === undefined) {
    throw refuse("managed_identity_request_failed", "lacks access_token or expires_on");
  }
  const expiresOn = parseExpiry(expiry, now);
  if (expiresOn === undefined) {
    throw refuse("invalid_timestamp_format", "has an expiry that is no time");
  }
  const expiresIn = expiresOn - now;
  if (expiresIn <= 0) {
    throw refuse("invalid_token_provider_response_value", "has a token that has expired");
  }
  const refreshOn = refreshTime({ receivedOn: now, expiresIn });
  const token = { accessToken: message.access_token, expiresOn, source };
  return refreshOn === undefined ? token : { ...token, refreshOn };
}

/** The expiry; of several the last in the document. */
function lastExpiry(message: Readonly<Record<string, unknown>>): unknown {
  return Object.entries(message)
    .filter(([name, value]) =>
      (name === "expires_on" || name === "expires_in") && value !== null && value !== ""
    ).at(-1)?.[1];
}

function refusal(answer: Answer, { source, correlationId }: AnswerContext): KeyboundError {
  const { status, text: body, retryAfter } = answer;
  const policy = source === "Imds" ? imdsPolicy : managedIdentityPolicy;
  const theirs = parseJson(Refusal, body)?.correlationId;
  // Not an id of ours: whoever looks for it has to ask the source.
  const issued = theirs === undefined
    ? ""
    : ` Correlation id ${scrub(theirs)}, issued by the '${source}' managed identity source.`;
  return new KeyboundError(
    "managed_identity_request_failed",
    `[${source}] ${headline(source, status)} (HTTP ${status}): ${describeErrorBody(body)}${issued}`,
    { status, correlationId, source, retryAfter, retryable: policy.statuses(status) },
  );
}

function headline(source: SourceName, status: number): string {
  if (source !== "Imds") return "The token request was refused";
  if (status === 400) return "The identity is unavailable: has it been assigned to this host?";
  const gateway = status === 502 || status === 504;
  return gateway ? "A gateway before the metadata service failed" : "The token request was refused";
}
