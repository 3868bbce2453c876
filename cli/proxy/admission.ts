/**
 * Who may use the proxy, and for what: decided on the head of a request, before anything else is done.
 *
 * @module
 */

import { createHash, timingSafeEqual } from "node:crypto";

/** Header that carries the secret, for programs. */
export const SECRET_HEADER = "keybound-secret";

/** The head of a request. */
export interface RequestHead {
  readonly method: string;
  /** The request target, as it was sent. */
  readonly target: string;
  /** Header values by lower-case name, each as it was sent. */
  readonly headers: ReadonlyMap<string, readonly string[]>;
}

/** What a proxy demands. */
export interface AdmissionRules {
  /** SHA-256 of the secret; `undefined` where the socket's permissions keep others out. */
  readonly secretDigest: Uint8Array | undefined;
  /** Hosts by which it may be addressed, port included; `undefined` where browsers can't reach it. */
  readonly hosts: readonly string[] | undefined;
}

/** Why a request isn't forwarded. */
export interface Refusal {
  readonly status: number;
  /** Snake case. */
  readonly error: string;
  /** What to do instead. */
  readonly message: string;
  /** Headers of the answer. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** Why this request isn't forwarded; `undefined` where it is. */
export function refusalOf(head: RequestHead, rules: AdmissionRules): Refusal | undefined {
  return foreignHost(head, rules) ?? foreignSite(head, rules) ?? stranger(head, rules) ??
    unfitRequest(head);
}

/** A name of somebody else's that leads here (DNS rebinding) comes with that name. */
function foreignHost({ headers }: RequestHead, { hosts }: AdmissionRules): Refusal | undefined {
  if (hosts === undefined) return undefined;
  const given = headers.get("host") ?? [];
  if (given.length === 1 && hosts.includes(given[0]!.toLowerCase())) return undefined;
  return {
    status: 421,
    error: "misdirected_request",
    message: "This proxy answers by its own address only.",
  };
}

/** A browser adds the secret that it knows to requests of any site. Only our own pages count. */
function foreignSite({ headers }: RequestHead, { hosts }: AdmissionRules): Refusal | undefined {
  const sites = headers.get("sec-fetch-site") ?? [];
  const origins = headers.get("origin") ?? [];
  const isOwn = sites.every((site) => site === "same-origin" || site === "none") &&
    origins.every((origin) => hosts?.some((host) => origin === `http://${host}`) ?? false);
  if (isOwn) return undefined;
  return {
    status: 403,
    error: "cross_site_request",
    message: "Other sites may not use this proxy.",
  };
}

function stranger({ headers }: RequestHead, { secretDigest }: AdmissionRules): Refusal | undefined {
  if (secretDigest === undefined) return undefined;
  const [given] = headers.get(SECRET_HEADER) ?? basicPasswords(headers.get("authorization") ?? []);
  if (timingSafeEqual(digestOf(given ?? ""), secretDigest)) return undefined;
  return {
    status: 401,
    error: "secret_required",
    message: `Send the proxy's secret: in the header '${SECRET_HEADER}', or as a basic password.`,
    headers: { "www-authenticate": 'Basic realm="keybound proxy", charset="UTF-8"' },
  };
}

/** SHA-256 of a secret: of one length, whatever was sent. */
export function digestOf(secret: string): Uint8Array {
  return createHash("sha256").update(secret).digest();
}

/** The passwords of basic credentials (RFC 7617), whoever the user. */
function basicPasswords(credentials: readonly string[]): string[] {
  return credentials.flatMap((value) => {
    const [, encoded] = /^basic +([A-Za-z0-9+/=_-]+)$/i.exec(value) ?? [];
    if (encoded === undefined) return [];
    const text = Buffer.from(encoded, "base64").toString("utf8");
    const colon = text.indexOf(":");
    return colon === -1 ? [] : [text.slice(colon + 1)];
  });
}

function unfitRequest({ method, target, headers }: RequestHead): Refusal | undefined {
  if (["CONNECT", "TRACE", "TRACK"].includes(method)) {
    return {
      status: 405,
      error: "method_not_allowed",
      message: "This proxy has one upstream only.",
    };
  }
  if (headers.has("upgrade")) {
    return { status: 501, error: "upgrade_refused", message: "This proxy speaks HTTP/1.1 only." };
  }
  // Absolute, authority and asterisk form (RFC 9112 section 3.2) would name another server.
  if (!/^\/[^\s#\\\p{Cc}]*$/u.test(target)) {
    return { status: 400, error: "invalid_target", message: "The target of a request is a path." };
  }
  return undefined;
}

/** Header values by lower-case name from names and values in turn. */
export function headerMap(rawHeaders: readonly string[]): Map<string, string[]> {
  const map = new Map<string, string[]>();
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!.toLowerCase();
    map.set(name, [...map.get(name) ?? [], rawHeaders[i + 1]!]);
  }
  return map;
}
