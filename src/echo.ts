/**
 * Refusals that repeat what was sent.
 *
 * @module
 */

import type { Answer } from "./http.ts";

/** Shorter texts may be words of the answer as well. */
const SHORTEST_SECRET = 8;

/**
 * A refusal without the secret that the request carried: one that is no token doesn't show as a
 * secret by itself. An answer with status 200 stays what it is.
 */
export function withoutSecret(answer: Answer, secret: string | undefined): Answer {
  if (answer.status === 200 || secret === undefined || secret.length < SHORTEST_SECRET) {
    return answer;
  }
  const inJson = JSON.stringify(secret).slice(1, -1);
  const text = answer.text.replaceAll(secret, "[redacted]").replaceAll(inJson, "[redacted]");
  return { ...answer, text };
}

/** Headers that secrets are sent in, lower case. */
const SECRET_HEADERS: readonly string[] = ["authorization", "secret", "x-identity-header"];

/** {@linkcode withoutSecret} for the secrets in these headers of the request. */
export function withoutHeaderSecrets(
  answer: Answer,
  headers: Readonly<Record<string, string>>,
): Answer {
  return Object.entries(headers)
    .filter(([name]) => SECRET_HEADERS.includes(name.toLowerCase()))
    .map(([, value]) => value.replace(/^Basic /, ""))
    .reduce(withoutSecret, answer);
}
