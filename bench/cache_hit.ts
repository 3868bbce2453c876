/**
 * A token that is in memory: what a call costs with 1, 100 and 10,000 tokens there, against
 * msal-node and azure-identity. Every call asks for another of them.
 *
 * @module
 */

import { instantHost, resourcesOf } from "./support/instant_host.ts";
import { callCosts } from "./support/measure.ts";
import { azurePeers } from "./support/peers.ts";
import { Report } from "./support/report.ts";

const ROUNDS = 7;
/** A prime: in steps of it every token has its turn, and none its neighbour's. */
const STRIDE = 7919;
/** Most microseconds of a call with 10,000 tokens. */
const BUDGET = 1;

const report = new Report();
const host = await instantHost();
const peers = azurePeers();
const { msalNode, azureIdentity } = peers;

for (const count of [1, 100, 10_000]) {
  const inOrder = resourcesOf(count);
  const resources = inOrder.map((_, i) => inOrder[i * STRIDE % count]!);
  const questions = resources.map((resource) => ({ resource }));
  const identity = host.identity();
  for (const resource of inOrder) await identity.getToken({ resource });
  await peers.fill(inOrder);
  const before = requests();

  const [own, ...others] = await callCosts(ROUNDS, [
    (i) => identity.getToken(questions[i % count]!),
    (i) => msalNode.getToken(resources[i % count]!),
    (i) => azureIdentity.getToken(resources[i % count]!),
  ]);
  if (requests() !== before) throw new Error("Not every token was in memory.");

  for (const [i, { name }] of [msalNode, azureIdentity].entries()) {
    const { p50, throughput } = others[i]!;
    const bench = `cache hit, ${count} tokens`;
    const unit = "calls/s";
    const target = name === msalNode.name ? { target: { atLeast: 20 } } : {};
    report.tell({ bench: `${bench} p50`, ours: own!.p50, peer: p50, peerName: name, unit: "us" });
    report.tell({
      bench,
      ours: own!.throughput,
      peer: throughput,
      peerName: name,
      unit,
      ...target,
    });
  }
  if (count === 10_000) {
    // By itself: what another does between our turns, the processor's caches pay for.
    const [alone] = await callCosts(ROUNDS, [(i) => identity.getToken(questions[i % count]!)]);
    report.tell({
      bench: `cache hit, ${count} tokens, budget`,
      ours: alone!.p50,
      peer: BUDGET,
      peerName: "budget",
      unit: "us",
      target: { atMost: 1 },
    });
  }
  await identity.close();
  host.forget();
}
report.finish();

function requests(): string {
  return `${host.counts()} ${peers.requests}`;
}
