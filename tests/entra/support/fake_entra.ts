/**
 * Entra's token endpoints, a metadata service and resource servers as functions: no sockets, a
 * clock that stands still, and every answer scriptable.
 *
 * @module
 */

import assert from "node:assert/strict";
import { webcryptoKeys } from "../../../backends/webcrypto/mod.ts";
import { ClientCredential } from "../../../src/credential.ts";
import { confidentialClient } from "../../../src/entra/confidential_client.ts";
import type { ConfidentialClient, ConfidentialClientOptions } from "../../../src/entra/options.ts";
import type { KeyboundEvent } from "../../../src/events.ts";
import type { SigningKey } from "../../../src/keys.ts";
import { transportError } from "../../../src/policy/failure.ts";
import type { MtlsFetchOptions, MtlsTransport, TransportFailure } from "../../../src/transports.ts";
import { certificateAuthority, issueCertificate } from "../../support/certificates.ts";
import { EPOCH, type ManualClock, manualClock } from "../../support/clock.ts";
import { DAY, fakeJwt } from "../../support/fake_azure.ts";

export const CLIENT_ID = "f62c5ae3-bf3a-4af5-afa8-a68b800396e9";
export const TENANT = "751a212b-4003-416e-b600-e1f48e40db9f";
export const AUTHORITY: string = `https://login.microsoftonline.com/${TENANT}`;
export const SCOPE = "https://vault.azure.net/.default";
export const JWT_POP = "urn:ietf:params:oauth:client-assertion-type:jwt-pop";
export const JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/** Fields of every request of the client for that scope. */
export const FORM: Readonly<Record<string, string>> = {
  client_id: CLIENT_ID,
  scope: SCOPE,
  grant_type: "client_credentials",
  client_info: "2",
};

/** Endpoints of the fake: `mtls` and `login` are where tokens come from. */
export type FakeEntraEndpoint = "mtls" | "login" | "compute" | "resource";

/** What was sent. */
export interface SentToEntra {
  readonly endpoint: FakeEntraEndpoint;
  readonly method: string;
  readonly url: string;
  readonly headers: Headers;
  readonly body: string;
  /** The body as a form. */
  readonly form: Readonly<Record<string, string>>;
  /** `x5t#S256` of the certificate presented; none over plain fetch. */
  readonly thumbprint?: string;
  readonly options?: MtlsFetchOptions;
}

/** A scripted answer: instead of the regular one, or made from it. */
export type EntraScript = (
  sent: SentToEntra,
  regular: () => Promise<Response>,
) => Response | Promise<Response>;

/** The fake, and what it saw. */
export interface FakeEntra {
  readonly clock: ManualClock;
  readonly transport: MtlsTransport;
  readonly fetch: typeof globalThis.fetch;
  /** All requests, oldest first. */
  readonly sent: SentToEntra[];
  /** All events, oldest first. */
  readonly events: KeyboundEvent[];
  /** Thumbprints that the transport was told to retire. */
  readonly retired: string[];
  /** Region that the metadata service gives, if there is one. */
  region: string | undefined;
  /** Life of tokens, in ms. */
  tokenLifetime: number;
  /** `refresh_in`, in ms, if any. */
  refreshIn: number | undefined;
  /** Requests so far, as `mtls+login+compute+resource`. */
  counts(): string;
  /** Forgets requests and events. */
  forget(): void;
  /** Appends answers to an endpoint's queue; each is taken once. */
  script(endpoint: FakeEntraEndpoint, ...scripts: EntraScript[]): void;
  /** An answer for every request to come, or the regular one again. */
  always(endpoint: FakeEntraEndpoint, script: EntraScript | undefined): void;
  /** A client of this fake; a new certificate where no other credential is given. */
  client(options?: Partial<ConfidentialClientOptions>): Promise<ConfidentialClient>;
}

/** A new fake. */
export function fakeEntra(): FakeEntra {
  const clock = manualClock();
  const queues = new Map<FakeEntraEndpoint, EntraScript[]>();
  const standing = new Map<FakeEntraEndpoint, EntraScript>();

  const answer = async (sent: SentToEntra): Promise<Response> => {
    fake.sent.push(sent);
    const script = queues.get(sent.endpoint)?.shift() ?? standing.get(sent.endpoint);
    const regular = async () => await regularAnswer(sent, fake);
    return await (script === undefined ? regular() : script(sent, regular));
  };

  const fake: FakeEntra = {
    clock,
    sent: [],
    events: [],
    retired: [],
    region: undefined,
    tokenLifetime: DAY,
    refreshIn: undefined,
    transport: {
      name: "fake",
      accepts: () => true,
      async fetch(request, { thumbprint }, options = {}) {
        request.signal.throwIfAborted();
        const endpoint = isTokenEndpoint(request.url) ? "mtls" : "resource";
        return await answer({ endpoint, ...await seen(request), thumbprint, options });
      },
      retire: (thumbprint) => void fake.retired.push(thumbprint),
      close: () => Promise.resolve(),
    },
    async fetch(input, init) {
      const request = new Request(input, init);
      // `fetch` follows redirects unless it is told not to, and takes token and assertion along.
      assert.equal(request.redirect, "manual");
      request.signal.throwIfAborted();
      const endpoint = isTokenEndpoint(request.url)
        ? "login"
        : request.url.startsWith("http://169.254.169.254/metadata/instance/compute")
        ? "compute"
        : "resource";
      return await answer({ endpoint, ...await seen(request) });
    },
    counts: () =>
      (["mtls", "login", "compute", "resource"] as const)
        .map((endpoint) => fake.sent.filter((request) => request.endpoint === endpoint).length)
        .join("+"),
    forget() {
      fake.sent.length = 0;
      fake.events.length = 0;
    },
    script: (endpoint, ...scripts) =>
      void queues.set(endpoint, [...queues.get(endpoint) ?? [], ...scripts]),
    always: (endpoint, script) =>
      void (script === undefined ? standing.delete(endpoint) : standing.set(endpoint, script)),
    client: async (options = {}) =>
      confidentialClient({
        clientId: CLIENT_ID,
        authority: AUTHORITY,
        credential: options.credential ?? await newCredential(),
        transports: [fake.transport],
        fetch: fake.fetch,
        clock,
        random: () => 0.5,
        onEvent: (event) => void fake.events.push(event),
        ...options,
      }),
  };
  return fake;
}

function isTokenEndpoint(url: string): boolean {
  return url.endsWith("/oauth2/v2.0/token");
}

async function seen(
  request: Request,
): Promise<Pick<SentToEntra, "method" | "url" | "headers" | "body" | "form">> {
  const { method, url, headers } = request;
  const body = await request.text();
  return { method, url, headers, body, form: Object.fromEntries(new URLSearchParams(body)) };
}

/** What an endpoint answers when nothing is scripted. */
function regularAnswer(
  { endpoint, form, thumbprint }: SentToEntra,
  { region, tokenLifetime, refreshIn }: FakeEntra,
): Response {
  if (endpoint === "resource") return Response.json({ thumbprint: thumbprint ?? null });
  if (endpoint === "compute") {
    return region === undefined
      ? new Response(null, { status: 404 })
      : Response.json({ location: region });
  }
  const isBound = form["token_type"] === "mtls_pop";
  return Response.json({
    token_type: isBound ? "mtls_pop" : "Bearer",
    expires_in: tokenLifetime / 1000,
    ...(refreshIn === undefined ? {} : { refresh_in: refreshIn / 1000 }),
    access_token: fakeJwt({
      aud: form["scope"]!.replace(/\/\.default$/, ""),
      ...(isBound ? { cnf: { "x5t#S256": thumbprint } } : {}),
      jti: crypto.randomUUID(),
    }),
  });
}

/** What a credential of a test is made of. */
export interface CredentialParts {
  /** @default a new P-256 key */
  key?: SigningKey;
  /** Kind of the new key. @default "P-256" */
  algorithm?: "P-256" | "RSA-2048";
  /** Milliseconds since the Unix epoch. @default the start of the tests' time */
  notBefore?: number;
  /** In ms. @default 30 days */
  lifetime?: number;
}

/** A certificate of a new authority and its key. */
export async function newCredential(parts: CredentialParts = {}): Promise<ClientCredential> {
  const { algorithm = "P-256", notBefore = EPOCH, lifetime = 30 * DAY } = parts;
  const key = parts.key ?? await webcryptoKeys().create("test", { algorithm });
  const issuer = await certificateAuthority();
  const { der } = await issueCertificate({
    spki: key.spki,
    issuer,
    notBefore,
    notAfter: notBefore + lifetime,
  });
  return await ClientCredential.create([der], key);
}

/** An assertion as another identity's token endpoint would issue it. */
export function assertionBoundTo(thumbprint: string | undefined): string {
  return fakeJwt({
    aud: "api://AzureADTokenExchange",
    ...(thumbprint === undefined ? {} : { cnf: { "x5t#S256": thumbprint } }),
    jti: crypto.randomUUID(),
  });
}

/** A scripted answer: a status, a JSON body, headers. */
export function status(
  code: number,
  body?: unknown,
  headers: Record<string, string> = {},
): EntraScript {
  return () =>
    body === undefined
      ? new Response(null, { status: code, headers })
      : Response.json(body, { status: code, headers });
}

/** A fresh connection that is reset, or another failure on the wire. */
export function wire(failure: Partial<TransportFailure> = {}): EntraScript {
  return () => {
    throw transportError({
      signals: [{ code: "ECONNRESET", message: "read ECONNRESET" }],
      stage: "secure",
      reusedConnection: false,
      responseStarted: false,
      ...failure,
    });
  };
}

/** The peer says in an alert that it doesn't take the certificate. */
export function rejected(): EntraScript {
  return wire({ signals: [{ code: "ERR_SSL_TLSV1_ALERT_BAD_CERTIFICATE" }], alert: 42 });
}
