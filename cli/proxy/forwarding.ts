/**
 * What of a request goes on, and where to; what of a response comes back.
 *
 * @module
 */

import { parseUrl } from "../../src/parse.ts";
import { SECRET_HEADER } from "./admission.ts";

/** Headers of one connection (RFC 9110 section 7.6.1), and those that name its ends. */
const HOP_BY_HOP: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/** Headers of a request that are for the proxy, or that it has its own of. */
const OWN: ReadonlySet<string> = new Set(["authorization", "expect", "host", SECRET_HEADER]);

/**
 * The upstream that this text names, `undefined` where it isn't an https URL, or has a user, query or
 * fragment.
 */
export function upstreamOf(text: string): URL | undefined {
  const url = parseUrl(text);
  const isPlain = url?.protocol === "https:" && url.username === "" && url.password === "" &&
    !/[?#@\s]/.test(text);
  return isPlain ? url : undefined;
}

/** `..` between what is a separator to some servers alone; where URLs have one, it is gone by now. */
const HIDDEN_WAY_UP = /(?:\/|%2f|%5c)(?:\.|%2e){2}(?:\/|%2f|%5c|;|$)/i;

/** The URL behind the upstream for this target; `undefined` for one that leaves it, or may do so. */
export function upstreamUrl(upstream: URL, target: string): URL | undefined {
  const base = upstream.pathname.replace(/\/$/, "");
  const url = parseUrl(upstream.origin + base + target);
  const isInside = url?.origin === upstream.origin && url.pathname.startsWith(`${base}/`) &&
    (base === "" || !HIDDEN_WAY_UP.test(url.pathname));
  return isInside ? url : undefined;
}

/** The headers that go on. */
export function requestHeaders(headers: ReadonlyMap<string, readonly string[]>): Headers {
  const dropped = ofTheConnection(headers.get("connection") ?? []);
  const sent = new Headers();
  for (const [name, values] of headers) {
    if (HOP_BY_HOP.has(name) || OWN.has(name) || dropped.has(name)) continue;
    for (const value of values) sent.append(name, value);
  }
  return sent;
}

/** The headers that come back, by name; repeated ones as lists. */
export function responseHeaders(headers: Headers): Record<string, string | string[]> {
  const dropped = ofTheConnection([headers.get("connection") ?? ""]);
  const sent: Record<string, string | string[]> = {};
  headers.forEach((value, name) => {
    if (HOP_BY_HOP.has(name) || dropped.has(name) || name === "set-cookie") return;
    sent[name] = value;
  });
  const cookies = headers.getSetCookie();
  return cookies.length === 0 ? sent : { ...sent, "set-cookie": cookies };
}

/** Headers that `Connection` says are its own; the body's length never is. */
function ofTheConnection(values: readonly string[]): Set<string> {
  const names = values.flatMap((value) => value.split(",")).map((name) =>
    name.trim().toLowerCase()
  );
  return new Set(names.filter((name) => name !== "content-length"));
}
