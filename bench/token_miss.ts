/**
 * Another token while the certificate is good: one request, on a connection of its own so that nothing
 * below re-sends it; against the same request bare. Then a request to a resource server, whose
 * connections are kept and whose TLS sessions are resumed.
 *
 * @module
 */

import { Agent } from "node:https";
import { detect } from "../backends/detect.ts";
import { spawnEmulator } from "../emulator/mod.ts";
import { managedIdentity } from "../mod.ts";
import { bareToken, bareUse, clientPem } from "./support/bare_requests.ts";
import { interleaved } from "./support/measure.ts";
import { Report } from "./support/report.ts";

const RESOURCE = "https://vault.azure.net";
const ROUNDS = 60;
const WARM_UP = 10;

const report = new Report();
const emulator = await spawnEmulator();
const { ca, metadata } = emulator;
const host = await detect({ ca, environment: { AZURE_POD_IDENTITY_AUTHORITY_HOST: metadata } });
const identity = managedIdentity(host);
const token = await identity.getToken({ resource: RESOURCE });
const client = { ca, ...await clientPem(token.binding) };
const agent = new Agent({ keepAlive: true });

const url = `${emulator.resource}/secrets/s`;
const miss = () => identity.getToken({ resource: RESOURCE, forceRefresh: true });
const use = async () => {
  const response = await identity.fetch(url, { resource: RESOURCE });
  await response.text();
};

const before = await emulator.counts();
await miss();
const after = await emulator.counts();
const requests = (["getplatformmetadata", "issuecredential", "token"] as const)
  .map((endpoint) => after[endpoint] - before[endpoint]);
report.tell({
  bench: "token miss, requests",
  ours: requests.reduce((sum, count) => sum + count),
  peer: 1,
  peerName: "the least",
  unit: "requests",
  target: { atMost: 1 },
});

const [missed, bareNew, bareKept, used, bareUsed] = await interleaved(ROUNDS, WARM_UP, [
  miss,
  () => bareToken(token.binding, RESOURCE, client),
  () => bareToken(token.binding, RESOURCE, { ...client, agent }),
  use,
  () => bareUse(url, token, { ...client, agent }),
]);
const [resumed, bareFull] = await interleaved(ROUNDS, WARM_UP, [
  use,
  () => bareUse(url, token, client),
], disconnect);

const compare = (bench: string, ours: number, peer: number, peerName: string) =>
  report.tell({ bench, ours, peer, peerName, unit: "ms" });
compare("token miss", missed!, bareNew!, "bare, new connection");
compare("token miss, keep-alive", missed!, bareKept!, "bare, kept connection");
compare("bound request, kept connection", used!, bareUsed!, "bare, kept connection");
compare("bound request, resumed session", resumed!, bareFull!, "bare, full handshake");

agent.destroy();
await identity.close();
await host.close();
await emulator.close();
report.finish();

/** Ends what is kept, and waits until that is noticed here. */
async function disconnect(): Promise<void> {
  await emulator.disconnect("resource");
  await new Promise((resolve) => setTimeout(resolve, 20));
}
