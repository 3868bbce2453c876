/**
 * A host with a managed identity of both kinds, of which a test makes up everything: a fake Azure for
 * bound tokens, a fake source for bearer tokens, and a resource server.
 *
 * @module
 */

import type { KeyProvider } from "../../../src/keys.ts";
import type { ManagedIdentityOptions } from "../../../src/managed_identity_options.ts";
import type { ManagedIdentity } from "../../../src/managed_identity_options.ts";
import {
  bearerTokens,
  type Environment,
  type HostAccess,
  type SourceName,
} from "../../../src/sources/mod.ts";
import { ENVIRONMENTS, type SentRequest, tokenResponse } from "../../sources/support/fake_host.ts";
import { type FakeAzure, fakeAzure, status } from "../../support/fake_azure.ts";

export {
  ENVIRONMENTS,
  SECRET,
  type SentRequest,
  tokenResponse,
} from "../../sources/support/fake_host.ts";

/** All sources and their environments. */
export const SOURCES = Object.entries(ENVIRONMENTS) as [SourceName, Environment][];

/** Those that the environment names, which give no bound tokens. */
export const ENVIRONMENT_SOURCES: [SourceName, Environment][] = SOURCES.filter(
  ([source]) => source !== "Imds",
);

/** The answer to request number `i`, from 0. */
export type Answer = (
  i: number,
  request: SentRequest,
  signal: AbortSignal,
) => Response | Promise<Response>;

/** What the host is made of; each answer can be changed at any time. */
export interface BearerHostSettings {
  /** Of the source that gives bearer tokens. */
  source: Answer;
  /** Of the metadata service to probes, which come without `Metadata: true`. */
  probe: Answer;
  /** Of the resource server to plain fetch. */
  resource: Answer;
  /** Contents of files, by path. */
  files: Record<string, string>;
}

/** The host, and what it saw. */
export interface BearerHost {
  readonly azure: FakeAzure;
  readonly settings: BearerHostSettings;
  /** Token requests to the source. */
  readonly sent: SentRequest[];
  /** Probes of the metadata service. */
  readonly probes: SentRequest[];
  /** Requests to the resource server that went by plain fetch. */
  readonly resource: SentRequest[];
  /** An identity on this host; all of one host share its limits. */
  identity(options?: Partial<ManagedIdentityOptions>): ManagedIdentity;
}

/** A token response whose token has the request's number. */
export function numbered(life: string | number = "3600"): Answer {
  return (i) => Response.json({ access_token: `token-${i}`, expires_on: life });
}

/** Makes a host with IMDSv1 only. */
export function withoutImdsV2(host: BearerHost): BearerHost {
  host.azure.always("getplatformmetadata", status(404));
  return host;
}

/** A host with this environment. */
export async function bearerHost(
  environment: Environment = ENVIRONMENTS.AppService,
  { keys, retries }: { keys?: KeyProvider; retries?: boolean } = {},
): Promise<BearerHost> {
  const azure = await fakeAzure(keys === undefined ? {} : { keys });
  const settings: BearerHostSettings = {
    source: numbered(),
    probe: () => {
      throw new TypeError("fetch failed");
    },
    resource: () => new Response("resource"),
    files: {},
  };
  const [sent, probes, resource] = [[], [], []] as SentRequest[][] as [
    SentRequest[],
    SentRequest[],
    SentRequest[],
  ];
  const fetching = (thumbprint?: string): typeof globalThis.fetch => async (input, init) => {
    const request = new Request(input, init);
    const { pathname, hostname } = new URL(request.url);
    const isPlain = request.headers.get("metadata") === null;
    const isImds = hostname === "169.254.169.254";
    if (/\/(?:getplatformmetadata|issuecredential)$/.test(pathname) && !isPlain) {
      return await azure.fetch(input, init);
    }
    const isProbe = isImds && (isPlain || pathname.endsWith("/compute"));
    const [list, answer] = isProbe
      ? [probes, settings.probe]
      : isImds || /^(?:localhost|127\.0\.0\.1)$/.test(hostname)
      ? [sent, settings.source]
      : [resource, settings.resource];
    const seen: SentRequest = {
      url: request.url,
      method: request.method,
      headers: Object.fromEntries(request.headers),
      body: await request.text(),
      thumbprint,
      redirect: request.redirect,
    };
    return await answer(list.push(seen) - 1, seen, request.signal);
  };
  const host: HostAccess = {
    platform: "linux",
    exists: (path) => Promise.resolve(path in settings.files),
    readSecretFile: (path) =>
      path in settings.files
        ? Promise.resolve(settings.files[path]!)
        : Promise.reject(new Error("ENOENT")),
    pinnedFetch: (thumbprint) => fetching(thumbprint),
  };
  const bearer = bearerTokens({ host, ...(retries === undefined ? {} : { retries }) });
  return {
    azure,
    settings,
    sent,
    probes,
    resource,
    identity: (options = {}) =>
      azure.identity({ environment, bearer, fetch: fetching(), ...options }),
  };
}

/** What is asked for, in most tests. */
export const BEARER = { resource: "https://vault.azure.net", binding: "bearer" } as const;

/** A source's answer that never comes. */
export function never(): Promise<Response> {
  return new Promise(() => {});
}

/** A token for an hour, whatever number the request has. */
export function anyToken(): Response {
  return tokenResponse();
}
