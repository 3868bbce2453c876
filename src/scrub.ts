/**
 * A server's own words, made fit for an error message.
 *
 * @module
 */

import * as v from "valibot";
import { parseJson } from "./parse.ts";

const MAX_LENGTH = 600;

/** Dotted base64url (JWS, JWE) and any long run of base64: tokens, assertions, keys. */
const SECRETS = /[\w-]{16,}(?:\.[\w-]+){1,4}|[A-Za-z0-9+/_-]{64,}={0,2}/g;

/** `text` without control characters and without anything that looks like a token; bounded. */
export function scrub(text: string): string {
  const plain = text.slice(0, 8 * MAX_LENGTH).replace(/\p{Cc}+/gu, " ");
  return plain.replace(SECRETS, "[redacted]").trim().slice(0, MAX_LENGTH);
}

const Text = v.optional(v.fallback(v.string(), ""), "");

/** `{"error":"...","error_description":"..."}` and its relatives, or Azure's nested form. */
const ErrorBody = v.object({
  error: v.optional(v.union([v.object({ code: Text, message: Text }), Text]), ""),
  message: Text,
  error_description: Text,
});

/** What an error body says in its known fields; nothing else of it is passed on. */
export function describeErrorBody(text: string): string {
  if (text.trim() === "") return "no response body";
  const body = parseJson(ErrorBody, text);
  if (body === undefined) return "no error text in the response body";
  const { error, message, error_description } = body;
  const parts = typeof error === "object" ? [error.code, error.message] : [error];
  const words = [...parts, message, error_description].filter((part) => part !== "").join(": ");
  return scrub(words) || "no error text in the response body";
}
