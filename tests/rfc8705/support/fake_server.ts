/**
 * An authorization server and a resource server as functions behind a transport: no sockets, a clock
 * that stands still, every answer scriptable.
 *
 * @module
 */

import { webcryptoKeys } from "../../../backends/webcrypto/mod.ts";
import { ClientCredential } from "../../../src/credential.ts";
import type { KeyboundEvent } from "../../../src/events.ts";
import {
  type AuthorizationServerMetadata,
  type Rfc8705Client,
  rfc8705Client,
  type Rfc8705ClientOptions,
} from "../../../src/rfc8705/mod.ts";
import type { MtlsFetchOptions, MtlsTransport } from "../../../src/transports.ts";
import { issueCertificate } from "../../support/certificates.ts";
import { EPOCH, type ManualClock, manualClock } from "../../support/clock.ts";
import { fakeJwt } from "../../support/fake_azure.ts";

export const ISSUER = "https://as.example/tenant";
export const ALIAS = "https://mtls.as.example/token";
export const RESOURCE = "https://api.example";
export const DAY: number = 24 * 3_600_000;

/** Which part of the fake a request went to. */
export type Endpoint = "discovery" | "token" | "introspection" | "resource";

/** What was sent. */
export interface Sent {
  readonly endpoint: Endpoint;
  readonly url: string;
  readonly headers: Headers;
  readonly form: URLSearchParams;
  /** `x5t#S256` of the certificate presented. */
  readonly thumbprint: string;
  readonly options: MtlsFetchOptions | undefined;
  readonly signal: AbortSignal;
}

/** An answer instead of the regular one, or made from it. */
export type Script = (sent: Sent, regular: () => Promise<Response>) => Response | Promise<Response>;

/** The fake, and what it saw. */
export interface FakeServer {
  readonly clock: ManualClock;
  readonly transport: MtlsTransport;
  readonly credential: ClientCredential;
  /** All requests, oldest first. */
  readonly sent: Sent[];
  readonly events: KeyboundEvent[];
  /** Thumbprints that the transport was told to retire. */
  readonly retired: string[];
  /** Life of tokens, seconds; can be changed. */
  readonly settings: { tokenLife: number };
  /** Another credential of the same client. */
  newCredential(validity?: { notBefore?: number; notAfter?: number }): Promise<ClientCredential>;
  /** Requests so far, as `discovery+token+introspection+resource`. */
  counts(): string;
  /** Forms that the token endpoint got. */
  forms(): Record<string, string>[];
  /** Appends answers to an endpoint's queue; each is taken once. */
  script(endpoint: Endpoint, ...scripts: Script[]): void;
  /** An answer for every request to come, or the regular one again. */
  always(endpoint: Endpoint, script: Script | undefined): void;
  /** A client of this server. */
  client(options?: Partial<Rfc8705ClientOptions>): Rfc8705Client;
}

/** The fake's metadata. */
export const METADATA: AuthorizationServerMetadata = {
  issuer: ISSUER,
  token_endpoint: "https://as.example/token",
  introspection_endpoint: "https://as.example/introspect",
  mtls_endpoint_aliases: {
    token_endpoint: ALIAS,
    introspection_endpoint: "https://mtls.as.example/introspect",
  },
};

/** A fake with a client certificate that is valid for 30 days. */
export async function fakeServer(): Promise<FakeServer> {
  const clock = manualClock();
  const keys = webcryptoKeys();
  const sent: Sent[] = [];
  const events: KeyboundEvent[] = [];
  const retired: string[] = [];
  const settings = { tokenLife: 3600 };
  const queues = new Map<Endpoint, Script[]>();
  const standing = new Map<Endpoint, Script>();
  let keyNumber = 0;

  const newCredential: FakeServer["newCredential"] = async (validity = {}) => {
    const key = await keys.create(`client-${keyNumber++}`, { algorithm: "P-256" });
    const issuer = { keys: await crypto.subtle.generateKey(P256, true, ["sign", "verify"]) };
    const { der } = await issueCertificate({
      spki: key.spki,
      issuer: { ...issuer, der: key.spki, pem: "", thumbprint: "", subject: "CN=CA" },
      notBefore: EPOCH - DAY,
      notAfter: EPOCH + 30 * DAY,
      ...validity,
    });
    return await ClientCredential.create([der], key);
  };
  const credential = await newCredential();

  const transport: MtlsTransport = {
    name: "fake",
    accepts: () => true,
    async fetch(request, { thumbprint }, options) {
      request.signal.throwIfAborted();
      const { url, headers, signal } = request;
      const form = new URLSearchParams(await request.text());
      const seen = { endpoint: endpointOf(url), url, headers, form, thumbprint, options, signal };
      sent.push(seen);
      const script = queues.get(seen.endpoint)?.shift() ?? standing.get(seen.endpoint);
      const regular = () => Promise.resolve(regularAnswer(seen, settings.tokenLife));
      return await (script === undefined ? regular() : script(seen, regular));
    },
    retire: (thumbprint) => void retired.push(thumbprint),
    close: () => Promise.resolve(),
  };

  return {
    clock,
    transport,
    credential,
    sent,
    events,
    retired,
    settings,
    newCredential,
    counts: () =>
      (["discovery", "token", "introspection", "resource"] as const)
        .map((endpoint) => sent.filter((request) => request.endpoint === endpoint).length)
        .join("+"),
    forms: () =>
      sent.filter(({ endpoint }) => endpoint === "token")
        .map(({ form }) => Object.fromEntries(form)),
    script: (endpoint, ...scripts) =>
      void queues.set(endpoint, [...queues.get(endpoint) ?? [], ...scripts]),
    always: (endpoint, script) =>
      void (script === undefined ? standing.delete(endpoint) : standing.set(endpoint, script)),
    client: (options = {}) =>
      rfc8705Client({
        ...(options.metadata === undefined ? { issuer: ISSUER } : {}),
        clientId: "client",
        credential,
        transports: [transport],
        clock,
        random: () => 0.5,
        onEvent: (event) => void events.push(event),
        ...options,
      }),
  };
}

const P256 = { name: "ECDSA", namedCurve: "P-256" };

function endpointOf(url: string): Endpoint {
  if (url.includes("/.well-known/")) return "discovery";
  if (url.endsWith("/token")) return "token";
  return url.endsWith("/introspect") ? "introspection" : "resource";
}

function regularAnswer({ endpoint, form, thumbprint }: Sent, tokenLife: number): Response {
  const cnf = { "x5t#S256": thumbprint };
  switch (endpoint) {
    case "discovery":
      return Response.json(METADATA);
    case "token":
      return Response.json({
        token_type: "Bearer",
        expires_in: tokenLife,
        access_token: fakeJwt({
          ...(form.has("resource") ? { aud: form.getAll("resource") } : {}),
          cnf,
          jti: crypto.randomUUID(),
        }),
      });
    case "introspection":
      return Response.json({ active: true, cnf });
    case "resource":
      return Response.json({ thumbprint });
  }
}

/** A scripted answer: a status, a JSON body, headers. */
export function status(code: number, body?: unknown, headers: Record<string, string> = {}): Script {
  return () =>
    body === undefined
      ? new Response(null, { status: code, headers })
      : Response.json(body, { status: code, headers });
}

/** The regular JSON answer with some fields changed; `undefined` takes one away. */
export function changed(fields: Readonly<Record<string, unknown>>): Script {
  return async (_sent, regular) => Response.json({ ...await (await regular()).json(), ...fields });
}

/** A token answer with a JWT of these claims. */
export function tokenOf(claims: Readonly<Record<string, unknown>>): Script {
  return ({ thumbprint }) =>
    Response.json({
      token_type: "Bearer",
      expires_in: 3600,
      access_token: fakeJwt({ cnf: { "x5t#S256": thumbprint }, ...claims }),
    });
}

/** Five megabytes. */
export function large(): Script {
  return () => new Response(" ".repeat(5_000_000));
}

/** A redirect to itself. */
export function redirect(): Script {
  return ({ url }) => new Response(null, { status: 302, headers: { location: url } });
}

/** Never an answer. */
export function never(): Script {
  return ({ signal }) =>
    new Promise((_resolve, reject) =>
      signal.addEventListener("abort", () => reject(signal.reason))
    );
}
