/**
 * A host whose environment, files and network a test makes up.
 *
 * @module
 */

import { type ManagedIdentityId, resolveIdentity } from "../../../src/identity.ts";
import {
  type BearerQuery,
  type Environment,
  type HostAccess,
  type ManagedIdentitySources,
  managedIdentitySources,
  type ManagedIdentitySourcesOptions,
  type SourceName,
} from "../../../src/sources/mod.ts";
import { type ManualClock, manualClock } from "../../support/clock.ts";

/** UUID of the acquisitions of tests. */
export const CORRELATION_ID = "11111111-2222-4333-8444-555555555555";

/** What stands for a secret and must not be told. */
export const SECRET = "se-cret-853b9a84";

/** A SHA-1 thumbprint. */
export const THUMBPRINT = "0123456789abcdef0123456789abcdef01234567";

/** The environment of each source. */
export const ENVIRONMENTS: Readonly<Record<SourceName, Environment>> = {
  ServiceFabric: {
    IDENTITY_ENDPOINT: "https://localhost:2377/metadata/identity/oauth2/token",
    IDENTITY_HEADER: SECRET,
    IDENTITY_SERVER_THUMBPRINT: THUMBPRINT,
  },
  AppService: {
    IDENTITY_ENDPOINT: "http://127.0.0.1:41564/msi/token",
    IDENTITY_HEADER: SECRET,
  },
  MachineLearning: {
    MSI_ENDPOINT: "http://localhost:7071/msi/token",
    MSI_SECRET: SECRET,
    DEFAULT_IDENTITY_CLIENT_ID: "default-id",
  },
  CloudShell: { MSI_ENDPOINT: "http://localhost:40342/metadata/identity/oauth2/token" },
  AzureArc: {
    IDENTITY_ENDPOINT: "http://localhost:40342/metadata/identity/oauth2/token",
    IMDS_ENDPOINT: "http://localhost:40342",
  },
  Imds: {},
};

/** How an identity is named. */
export type IdentityKind = "the host's own" | "a client id" | "a resource id" | "an object id";

/** The identities of tests. */
export const IDENTITIES: Readonly<Record<IdentityKind, ManagedIdentityId>> = {
  "the host's own": {},
  "a client id": { clientId: "client id/1" },
  "a resource id": { resourceId: "/subscriptions/s&x=1/id" },
  "an object id": { objectId: "object-1" },
};

/** A request as a source was sent it. */
export interface SentRequest {
  readonly url: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** The thumbprint pinned, where one was. */
  readonly thumbprint: string | undefined;
  readonly redirect: RequestRedirect;
}

/** What a made-up host is made of. */
export interface FakeHostOptions extends Partial<ManagedIdentitySourcesOptions> {
  platform?: HostAccess["platform"];
  /** Contents by path. */
  files?: Readonly<Record<string, string>>;
  /** The answer to request number `i`, from 0. */
  answer?: (i: number, request: SentRequest, signal: AbortSignal) => Response | Promise<Response>;
}

/** A made-up host. */
export interface FakeHost {
  readonly sources: ManagedIdentitySources;
  readonly sent: readonly SentRequest[];
  readonly clock: ManualClock;
  /** Files read. */
  readonly read: readonly string[];
}

/** A token response that is good for an hour. */
export function tokenResponse(token = "the-token"): Response {
  return Response.json({ access_token: token, expires_on: "3600", token_type: "Bearer" });
}

/** A made-up host with this environment. */
export function fakeHost(environment: Environment, options: FakeHostOptions = {}): FakeHost {
  const { answer = () => tokenResponse(), files = {}, platform = "linux", ...rest } = options;
  const clock = manualClock();
  const sent: SentRequest[] = [];
  const read: string[] = [];
  const fetching = (thumbprint?: string): typeof globalThis.fetch => async (input, init) => {
    const request = new Request(input, init);
    const seen: SentRequest = {
      url: request.url,
      method: request.method,
      headers: Object.fromEntries(request.headers),
      body: await request.text(),
      thumbprint,
      redirect: init?.redirect ?? "follow",
    };
    return await answer(sent.push(seen) - 1, seen, init!.signal!);
  };
  const host: HostAccess = {
    platform,
    exists: (path) => Promise.resolve(path in files),
    readSecretFile(path) {
      read.push(path);
      const content = files[path];
      return content === undefined ? Promise.reject(new Error("ENOENT")) : Promise.resolve(content);
    },
    pinnedFetch: (thumbprint) => fetching(thumbprint),
  };
  const sources = managedIdentitySources({
    environment,
    host,
    fetch: fetching(),
    clock,
    random: () => 0,
    ...rest,
  });
  return { sources, sent, clock, read };
}

/** What a token is asked with. */
export function query(
  id: ManagedIdentityId = {},
  more: Partial<BearerQuery> = {},
): BearerQuery {
  return {
    identity: resolveIdentity(id),
    resource: "https://vault.azure.net/?a=b&c",
    capabilities: [],
    correlationId: CORRELATION_ID,
    ...more,
  };
}
