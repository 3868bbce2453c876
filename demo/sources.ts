/**
 * Every source of managed identities that the emulator plays, one after the other: what the host can
 * do, which token `preferred` gives, and that the resource server takes it.
 *
 * @module
 */

import { request as httpsRequest } from "node:https";
import { detect } from "../backends/detect.ts";
import { hostAccess } from "../backends/host/mod.ts";
import type { Emulator } from "../emulator/mod.ts";
import { type ManagedIdentity, managedIdentity } from "../mod.ts";
import { bearerTokens, type HostAccess } from "../src/sources/mod.ts";

/** What came of one source. */
export interface SourceRow {
  /** Its name, and the version of the metadata service. */
  readonly source: string;
  /** Whether the host can bind tokens. */
  readonly boundTokens: boolean;
  /** The type of the token that `preferred` gave. */
  readonly tokenType: string;
  /** The resource server's status for it. */
  readonly resourceStatus: number;
  /** Requests for it, and for asking again. */
  readonly requests: readonly [first: number, again: number];
}

/** Where the files of Azure Arc's agent are; the emulator's are elsewhere. */
const AGENT_TOKENS = "/var/opt/azcmagent/tokens";

/** Asks each source for a token. `arcDirectory` is where the emulator puts its challenges. */
export async function askEverySource(
  emulator: Emulator,
  resource: string,
  arcDirectory: string,
): Promise<SourceRow[]> {
  const environments: [name: string, environment: Readonly<Record<string, string>>][] = [
    ["ServiceFabric", { ...emulator.sources.servicefabric }],
    ["AppService", { ...emulator.sources.appservice }],
    ["MachineLearning", { ...emulator.sources.machinelearning }],
    ["CloudShell", { ...emulator.sources.cloudshell }],
    ["AzureArc", { ...emulator.sources.arc }],
    ["Imds v1", { ...emulator.sources.imds }],
    ["Imds v2", { ...emulator.sources.imds }],
  ];
  const rows: SourceRow[] = [];
  for (const [source, environment] of environments) {
    await emulator.set({ v1Only: source === "Imds v1" });
    rows.push(await askSource(emulator, resource, { source, environment, arcDirectory }));
  }
  return rows;
}

async function askSource(
  emulator: Emulator,
  resource: string,
  { source, environment, arcDirectory }: {
    readonly source: string;
    readonly environment: Readonly<Record<string, string>>;
    readonly arcDirectory: string;
  },
): Promise<SourceRow> {
  const own = hostAccess();
  const host: HostAccess = {
    ...own,
    platform: "linux",
    readSecretFile: (path, maxBytes) =>
      own.readSecretFile(path.replace(AGENT_TOKENS, arcDirectory), maxBytes),
  };
  // In memory on every host: a binding that is kept would be used without asking the source.
  const backends = await detect({ environment, ca: emulator.ca, windows: false });
  const identity = managedIdentity({ ...backends, bearer: bearerTokens({ host }) });
  try {
    const before = await requestsOf(emulator);
    const token = await identity.getToken({ resource, binding: "preferred" });
    const first = await requestsOf(emulator);
    await identity.getToken({ resource, binding: "preferred" });
    const again = await requestsOf(emulator);
    const { boundTokens } = await identity.capabilities();
    const url = `${emulator.resource}/secrets/demo`;
    const resourceStatus = token.binding === undefined
      ? await statusOf(url, token.accessToken, emulator.ca)
      : await use(identity, url, resource);
    return {
      source,
      boundTokens,
      tokenType: token.tokenType,
      resourceStatus,
      requests: [first - before, again - first],
    };
  } finally {
    await identity.close();
    for (const transport of backends.transports) await transport.close();
  }
}

async function use(identity: ManagedIdentity, url: string, resource: string): Promise<number> {
  const response = await identity.fetch(url, { resource });
  await response.arrayBuffer();
  return response.status;
}

/** Requests so far, but for those to the resource server. */
async function requestsOf(emulator: Emulator): Promise<number> {
  const { resource: _, resource_connections: _r, token_connections: _t, ...counts } = await emulator
    .counts();
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}

/** By node:https and not by fetch, which knows nothing of the emulator's CA. */
function statusOf(url: string, token: string, ca: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const headers = { Authorization: `Bearer ${token}` };
    httpsRequest(url, { ca, headers }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    }).on("error", reject).end();
  });
}
