/**
 * Requests to the local proxy: the first line is method and target, then a header a line.
 *
 * @module
 */

import assert from "node:assert/strict";
import { digestOf, headerMap, refusalOf } from "../../../cli/proxy/admission.ts";
import { requestHeaders, upstreamOf, upstreamUrl } from "../../../cli/proxy/forwarding.ts";
import { latin1 } from "../support/entry.ts";

const UPSTREAM = upstreamOf("https://api.example.test/v1/")!;
const SECRET = "fuzzed-secret";
const RULES = { secretDigest: digestOf(SECRET), hosts: ["127.0.0.1:8080"] };

/** What is let in knows the secret, comes from no other site, and can't leave the upstream. */
export function fuzz(data: Uint8Array): void {
  const [first = "", ...lines] = latin1(data).split("\n");
  const [method = "GET", target = "/"] = first.split(" ");
  // What Node's parser lets through as a header.
  const pairs = lines.map((line) => /^([\w-]+): ([\x20-\x7e]*)$/.exec(line)?.slice(1) ?? []);
  const headers = headerMap(pairs.flat());
  const url = upstreamUrl(UPSTREAM, target);
  if (url !== undefined) {
    assert.equal(url.origin, UPSTREAM.origin);
    assert.ok(url.pathname.startsWith("/v1/"), url.pathname);
    assert.deepEqual([url.username, url.password], ["", ""]);
  }
  const sent = requestHeaders(headers);
  for (const name of ["authorization", "host", "connection", "keybound-secret"]) {
    assert.equal(sent.has(name), false, name);
  }
  if (refusalOf({ method, target, headers }, RULES) !== undefined) return;
  assert.match(target, /^\//);
  assert.deepEqual(headers.get("host"), RULES.hosts);
  const credentials = [...headers.values()].flat().join("\n");
  const basic = [...credentials.matchAll(/basic +(\S+)/gi)].map(([, text]) =>
    Buffer.from(text!, "base64").toString()
  );
  assert.ok([credentials, ...basic].some((text) => text.includes(SECRET)), "let in without secret");
}

/** Headers and targets. */
export const tokens: readonly string[] = [
  "GET /",
  "CONNECT ",
  "\nhost: 127.0.0.1:8080",
  `\nkeybound-secret: ${SECRET}`,
  "\norigin: ",
  "\nsec-fetch-site: cross-site",
  "\nconnection: authorization",
  "\nupgrade: ",
  "//",
  "/../",
  "%2e%2e/",
  "@",
  "\\",
  "https://",
  "?",
  "#",
];
