/**
 * Many callers at once, nothing in memory: requests sent, against msal-node and azure-identity.
 *
 * @module
 */

import { instantHost } from "./support/instant_host.ts";
import { azurePeers } from "./support/peers.ts";
import { Report } from "./support/report.ts";

/** Metadata, certificate, token. */
const LEAST = 3;

const report = new Report();
const peers = azurePeers();
for (const callers of [50, 1000]) {
  const host = await instantHost();
  const identity = host.identity();
  const resource = `https://r${callers}.example`;
  await atOnce(callers, () => identity.getToken({ resource }));
  const ours = host.counts().split("+").reduce((sum, count) => sum + Number(count), 0);
  const bench = `concurrency, ${callers} cold calls`;
  for (const peer of [peers.msalNode, peers.azureIdentity]) {
    const before = peers.requests;
    await atOnce(callers, () => peer.getToken(`${resource}/${encodeURIComponent(peer.name)}`));
    const sent = peers.requests - before;
    report.tell({ bench, ours, peer: sent, peerName: peer.name, unit: "requests" });
  }
  const target = { atMost: 1 };
  report.tell({ bench, ours, peer: LEAST, peerName: "the least", unit: "requests", target });
  await identity.close();
}
report.finish();

async function atOnce(callers: number, call: () => Promise<unknown>): Promise<void> {
  await Promise.all(Array.from({ length: callers }, call));
}
