/**
 * `WWW-Authenticate`: claims challenges, rejected tokens, the challenge of Azure Arc's agent.
 *
 * @module
 */

import assert from "node:assert/strict";
import { isInvalidToken } from "../../../src/rfc8705/challenge.ts";
import { answerArcChallenge } from "../../../src/sources/azure_arc.ts";
import type { HostAccess } from "../../../src/sources/source.ts";
import { claimsChallenge } from "../../../src/token/challenge.ts";
import { mergeClaims } from "../../../src/token/claims.ts";
import { answerOf } from "../support/answers.ts";
import { latin1, readOrRefuse, readOrReject } from "../support/entry.ts";

const FOLDER = "/var/opt/azcmagent/tokens/";

/**
 * Claims that are found are a JSON object, which the next request can carry unless it is nested
 * beyond reason. A file that is read is one of the agent's.
 */
export async function fuzz(data: Uint8Array): Promise<void> {
  const header = latin1(data);
  const claims = claimsChallenge(header);
  if (claims !== undefined) {
    assert.ok(isObject(JSON.parse(claims)));
    readOrRefuse(["invalid_json_claims_format"], () => mergeClaims(["cp1"], claims, claims));
  }
  assert.equal(typeof isInvalidToken(header), "boolean");
  // What a server can put into a header.
  if (!/^[\x20-\x7e]*$/.test(header)) return;
  const request = { url: "http://127.0.0.1:40342/", init: { method: "GET", headers: {} } };
  const host = {
    platform: "linux",
    readSecretFile: (path: string) => {
      assert.ok(path.startsWith(FOLDER), path);
      assert.match(path.slice(FOLDER.length), /^(?!\.)[\w.-]+\.key$/);
      return Promise.resolve("secret");
    },
  } as unknown as HostAccess;
  const answer = { ...answerOf(data), headers: new Headers({ "www-authenticate": header }) };
  await readOrReject(
    ["managed_identity_request_failed"],
    () => answerArcChallenge(request as never, answer, {}, host, "c"),
  );
}

/** Parameters, and names of files. */
export const tokens: readonly string[] = [
  'error="insufficient_claims"',
  'claims="',
  'error="invalid_token"',
  "Basic realm=",
  FOLDER,
  "../",
  ".key",
  ", ",
  "=",
  '"',
  "\\",
  "e30=",
];

/** Claims nested deep are taken apart until the stack is full. */
export const cost = 5;

function isObject(value: unknown): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
