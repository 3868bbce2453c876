/**
 * Answers of token endpoints: bound tokens, those of any authorization server, bearer tokens of a
 * host's sources and of the Azure CLI, introspection.
 *
 * @module
 */

import assert from "node:assert/strict";
import { readCliAnswer } from "../../../backends/azure_cli/answer.ts";
import type { ErrorCode } from "../../../src/errors.ts";
import { readIntrospection } from "../../../src/rfc8705/confirmation.ts";
import { readGrant } from "../../../src/rfc8705/response.ts";
import { readBearerAnswer } from "../../../src/sources/response.ts";
import { readTokenAnswer } from "../../../src/token/response.ts";
import { ANSWER_TOKENS, answerOf, NOW } from "../support/answers.ts";
import { readOrRefuse } from "../support/entry.ts";

const REFUSALS: readonly ErrorCode[] = [
  "http_status_not_200",
  "invalid_client",
  "invalid_grant",
  "invalid_request",
  "invalid_scope",
  "invalid_target",
  "invalid_token_response",
  "non_parsable_oauth_error",
  "not_found",
  "oauth_error",
  "request_throttled",
  "service_not_available",
  "temporarily_unavailable",
  "token_type_mismatch",
  "token_type_missing",
  "unauthorized_client",
  "unsupported_grant_type",
];

const BEARER_REFUSALS: readonly ErrorCode[] = [
  "invalid_timestamp_format",
  "invalid_token_provider_response_value",
  "managed_identity_request_failed",
  "managed_identity_response_parse_failure",
];

/** A token that is taken can stand in a header, and its times are times to come. */
export function fuzz(data: Uint8Array): void {
  const answer = answerOf(data);
  const bound = readOrRefuse(REFUSALS, () => readTokenAnswer(answer, "mtls_pop", "c"));
  if (bound !== undefined) {
    assertHeaderText(bound.accessToken);
    assertSeconds(bound.expiresIn);
    assert.ok(bound.expiresIn > 0);
    if (bound.refreshIn !== undefined) assertSeconds(bound.refreshIn);
  }
  const granted = readOrRefuse(REFUSALS, () => readGrant(answer, "c"));
  if (granted !== undefined) {
    assertHeaderText(granted.accessToken);
    assert.match(granted.tokenType, /^(Bearer|mtls_pop)$/);
    if (granted.expiresIn !== undefined) assertSeconds(granted.expiresIn);
    if (granted.refreshIn !== undefined) assertSeconds(granted.refreshIn);
  }
  for (const source of ["Imds", "AppService"] as const) {
    const context = { source, correlationId: "c", now: NOW };
    const bearer = readOrRefuse(BEARER_REFUSALS, () => readBearerAnswer(answer, context));
    if (bearer !== undefined) assertToCome(bearer);
  }
  const run = { status: answer.status === 200 ? 0 : 1, output: answer.text, errors: answer.text };
  const cli = readOrRefuse(BEARER_REFUSALS, () => readCliAnswer(run, NOW, "c"));
  if (cli !== undefined) assertToCome(cli);
  readOrRefuse([...REFUSALS, "token_not_bound"], () => readIntrospection(answer, "t", "c"));
}

/** Fields of the answers. */
export const tokens: readonly string[] = [
  ...ANSWER_TOKENS,
  '"access_token":"a"',
  '"token_type":"mtls_pop"',
  '"token_type":"Bearer"',
  '"expires_in":3600',
  '"expires_on":"1893459600"',
  '"expires_on":"2030-01-01T01:00:00Z"',
  '"refresh_in":60',
  '"claims":"',
  '"suberror":"',
  '"error_codes":[',
];

/** Each input is an answer to five. */
export const cost = 2;

function assertHeaderText(token: string): void {
  new Headers({ authorization: `Bearer ${token}` });
}

function assertSeconds(seconds: number): void {
  assert.ok(Number.isInteger(seconds) && seconds >= 0 && seconds < 1e9, `${seconds} seconds`);
}

function assertToCome(
  { accessToken, expiresOn, refreshOn }: ReturnType<typeof readBearerAnswer>,
): void {
  assertHeaderText(accessToken);
  assert.ok(expiresOn > NOW && Number.isFinite(expiresOn), `expires ${expiresOn}`);
  assert.ok(refreshOn === undefined || (refreshOn > NOW && refreshOn <= expiresOn));
}
