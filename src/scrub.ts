/**
 * A server's own words, made fit for an error message.
 *
 * @module
 */

import { fields, parse, parseJson } from "./parse.ts";

const MAX_LENGTH = 600;

/** Dotted base64url (JWS, JWE) and any long run of base64: tokens, assertions, keys. */
const SECRETS = /[\w-]{16,}(?:\.[\w-]+){1,4}|[A-Za-z0-9+/_-]{64,}={0,2}/g;

/** `text` without control characters and without anything that looks like a token; bounded. */
export function scrub(text: string): string {
  const plain = text.slice(0, 8 * MAX_LENGTH).replace(/\p{Cc}+/gu, " ");
  return plain.replace(SECRETS, "[redacted]").slice(0, MAX_LENGTH).trim();
}

/** `{"error":"...","error_description":"..."}` and its relatives, or Azure's nested form. */
const ErrorBody = fields({});

/** What an error body says in its known fields; nothing else of it is passed on. */
export function describeErrorBody(text: string): string {
  const body = parseJson(ErrorBody, text);
  const nested = parse(ErrorBody, body?.error);
  const words = [
    body?.error,
    nested?.code,
    nested?.message,
    body?.message,
    body?.error_description,
  ];
  return scrub(words.filter((word) => typeof word === "string").join(": ")) ||
    (text === "" ? "no response body" : "no error text in the response body");
}
