/**
 * A metadata service, a token endpoint and a resource server as functions: no sockets, a clock that
 * stands still, and every answer scriptable.
 *
 * @module
 */

import assert from "node:assert/strict";
import "reflect-metadata";
import { Pkcs10CertificateRequest } from "@peculiar/x509";
import { memoryStore } from "../../backends/memory/mod.ts";
import { webcryptoKeys } from "../../backends/webcrypto/mod.ts";
import type { ClientCredential } from "../../src/credential.ts";
import { base64, base64url, fromBase64, utf8 } from "../../src/encoding.ts";
import type { KeyboundEvent } from "../../src/events.ts";
import type { KeyProvider, KeyStrength, SigningKey } from "../../src/keys.ts";
import { managedIdentity } from "../../src/managed_identity.ts";
import type {
  ManagedIdentity,
  ManagedIdentityOptions,
} from "../../src/managed_identity_options.ts";
import { transportError } from "../../src/policy/failure.ts";
import type { CertStore } from "../../src/stores.ts";
import type { MtlsFetchOptions, MtlsTransport, TransportFailure } from "../../src/transports.ts";
import {
  type CertificateAuthority,
  certificateAuthority,
  issueCertificate,
} from "./certificates.ts";
import { type ManualClock, manualClock } from "./clock.ts";

/** Ids of protocol.md section 1.10. */
export const CLIENT_ID = "d3adb33f-c0de-ed0c-c0de-deadb33fc0d3";
export const TENANT_ID = "751a212b-4003-416e-b600-e1f48e40db9f";
export const VAULT = "https://vault.azure.net";
export const DAY: number = 24 * 3_600_000;

/** Endpoints of the fake. */
export type FakeEndpoint = "getplatformmetadata" | "issuecredential" | "token" | "resource";

/** What was sent. */
export interface Sent {
  readonly endpoint: FakeEndpoint;
  readonly method: string;
  readonly url: string;
  readonly headers: Headers;
  readonly body: string;
  /** `x5t#S256` of the certificate presented. */
  readonly thumbprint?: string;
  readonly options?: MtlsFetchOptions;
}

/** A scripted answer: instead of the regular one, or made from it. */
export type Script = (sent: Sent, regular: () => Promise<Response>) => Response | Promise<Response>;

/** Settings of the fake that can be changed at any time. Times in milliseconds. */
export interface FakeSettings {
  certificateLifetime: number;
  certificateBackdate: number;
  tokenLifetime: number;
  refreshIn: number | undefined;
}

/** The fake, and what it saw. */
export interface FakeAzure {
  readonly clock: ManualClock;
  readonly keys: KeyProvider;
  readonly store: CertStore;
  readonly transport: MtlsTransport;
  readonly fetch: typeof globalThis.fetch;
  readonly settings: FakeSettings;
  /** All requests, oldest first. */
  readonly sent: Sent[];
  /** All events, oldest first. */
  readonly events: KeyboundEvent[];
  /** Thumbprints that the transport was told to retire. */
  readonly retired: string[];
  /** Requests so far, as `metadata+issue+token+resource`. */
  counts(): string;
  /** Forgets requests and events. */
  forget(): void;
  /** Appends answers to an endpoint's queue; each is taken once. */
  script(endpoint: FakeEndpoint, ...scripts: Script[]): void;
  /** An answer for every request to come, or the regular one again. */
  always(endpoint: FakeEndpoint, script: Script | undefined): void;
  /** An identity on this host. */
  identity(options?: Partial<ManagedIdentityOptions>): ManagedIdentity;
}

/** A fake host with P-256 keys, which are made in no time. */
export async function fakeAzure(
  backends: { keys?: KeyProvider; store?: CertStore } = {},
): Promise<FakeAzure> {
  const clock = manualClock();
  const authority = await certificateAuthority();
  const keys = backends.keys ?? webcryptoKeys();
  const store = backends.store ?? memoryStore({ clock });
  const settings: FakeSettings = {
    certificateLifetime: 7 * DAY,
    certificateBackdate: 0,
    tokenLifetime: DAY,
    refreshIn: undefined,
  };
  const sent: Sent[] = [];
  const events: KeyboundEvent[] = [];
  const retired: string[] = [];
  const queues = new Map<FakeEndpoint, Script[]>();
  const standing = new Map<FakeEndpoint, Script>();

  const answer = async (request: Sent): Promise<Response> => {
    sent.push(request);
    const script = queues.get(request.endpoint)?.shift() ?? standing.get(request.endpoint);
    const regular = () => regularAnswer(request, authority, settings, clock.now());
    return await (script === undefined ? regular() : script(request, regular));
  };

  const fetch = async (input: string | URL | Request, init?: RequestInit): Promise<Response> => {
    const request = new Request(input, init);
    // `fetch` follows redirects unless it is told not to, and takes the request's body along.
    assert.equal(init?.redirect, "manual");
    request.signal.throwIfAborted();
    const endpoint = request.url.includes("/issuecredential")
      ? "issuecredential"
      : "getplatformmetadata";
    return await answer({ endpoint, ...await seen(request) });
  };

  const transport: MtlsTransport = {
    name: "fake",
    accepts: () => true,
    async fetch(request: Request, credential: ClientCredential, options: MtlsFetchOptions = {}) {
      request.signal.throwIfAborted();
      const endpoint = request.url.endsWith("/oauth2/v2.0/token") ? "token" : "resource";
      const { thumbprint } = credential;
      return await answer({ endpoint, ...await seen(request), thumbprint, options });
    },
    retire: (thumbprint) => void retired.push(thumbprint),
    close: () => Promise.resolve(),
  };

  return {
    clock,
    keys,
    store,
    transport,
    fetch,
    settings,
    sent,
    events,
    retired,
    counts: () =>
      (["getplatformmetadata", "issuecredential", "token", "resource"] as const)
        .map((endpoint) => sent.filter((request) => request.endpoint === endpoint).length)
        .join("+"),
    forget: () => {
      sent.length = 0;
      events.length = 0;
    },
    script: (endpoint, ...scripts) =>
      void queues.set(endpoint, [...queues.get(endpoint) ?? [], ...scripts]),
    always: (endpoint, script) =>
      void (script === undefined ? standing.delete(endpoint) : standing.set(endpoint, script)),
    identity: (options = {}) =>
      managedIdentity({
        keys,
        store,
        transports: [transport],
        fetch,
        clock,
        random: () => 0.5,
        keyAlgorithm: "P-256",
        onEvent: (event) => void events.push(event),
        ...options,
      }),
  };
}

async function seen(request: Request): Promise<Omit<Sent, "endpoint">> {
  const { method, url, headers } = request;
  return { method, url, headers, body: await request.text() };
}

/** What an endpoint answers when nothing is scripted. */
async function regularAnswer(
  { endpoint, body, thumbprint }: Sent,
  authority: CertificateAuthority,
  settings: FakeSettings,
  now: number,
): Promise<Response> {
  switch (endpoint) {
    case "getplatformmetadata":
      return Response.json({
        cuId: { vmId: "test-vm-id" },
        clientId: CLIENT_ID,
        tenantId: TENANT_ID,
        attestationEndpoint: "https://attestation.example",
      }, { headers: { server: "IMDS/150.870.65.1854" } });
    case "issuecredential": {
      const { csr } = JSON.parse(body) as { csr: string };
      const request = new Pkcs10CertificateRequest(fromBase64(csr));
      const notBefore = now - settings.certificateBackdate;
      const certificate = await issueCertificate({
        spki: new Uint8Array(request.publicKey.rawData),
        subject: `CN=${CLIENT_ID}, DC=${TENANT_ID}`,
        issuer: authority,
        notBefore,
        notAfter: notBefore + settings.certificateLifetime,
      });
      return Response.json({
        client_id: CLIENT_ID,
        tenant_id: TENANT_ID,
        certificate: base64(certificate.der),
        identity_type: "SystemAssigned",
        mtls_authentication_endpoint: "https://mtlsauth.example",
      });
    }
    case "token": {
      const scope = new URLSearchParams(body).get("scope")!;
      return Response.json({
        token_type: "mtls_pop",
        expires_in: settings.tokenLifetime / 1000,
        ...(settings.refreshIn === undefined ? {} : { refresh_in: settings.refreshIn / 1000 }),
        access_token: fakeJwt({
          aud: scope.replace(/\/\.default$/, ""),
          cnf: { "x5t#S256": thumbprint },
          jti: crypto.randomUUID(),
        }),
      });
    }
    case "resource":
      return Response.json({ thumbprint });
  }
}

/** A JWT with these claims and a signature that nobody checks here. */
export function fakeJwt(claims: Readonly<Record<string, unknown>>): string {
  const part = (value: unknown) => base64url(utf8(JSON.stringify(value)));
  return `${part({ alg: "RS256", typ: "JWT" })}.${part(claims)}.c2lnbmF0dXJl`;
}

/** A scripted answer: a status, a JSON body, headers. */
export function status(code: number, body?: unknown, headers: Record<string, string> = {}): Script {
  return () =>
    body === undefined
      ? new Response(null, { status: code, headers })
      : Response.json(body, { status: code, headers });
}

/** A failure on the wire. */
export function wire(failure: Partial<TransportFailure>): Script {
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

/** A provider whose keys say they are of another strength, and that can be made to fail. */
export function claimingStrength(inner: KeyProvider, strength: KeyStrength): KeyProvider {
  const claim = (key: SigningKey): SigningKey => ({
    id: key.id,
    spki: key.spki,
    schemes: key.schemes,
    strength,
    sign: (scheme, data, options) => key.sign(scheme, data, options),
  });
  return {
    name: inner.name,
    open: async (id, options) => {
      const key = await inner.open(id, options);
      return key === undefined ? undefined : claim(key);
    },
    create: async (id, options) => claim(await inner.create(id, options)),
    remove: (id, options) => inner.remove(id, options),
  };
}
