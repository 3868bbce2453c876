/**
 * Memory and time by how much is kept: 10, 1,000, 10,000 and 100,000 tokens of identities x
 * resources. The last are one identity's, whose cache keeps 10,000 of them.
 *
 * @module
 */

import type { ManagedIdentity, TokenOptions } from "../src/managed_identity_options.ts";
import { heapInUse } from "./support/heap.ts";
import { instantHost } from "./support/instant_host.ts";
import { instantTransport } from "./support/instant_transport.ts";
import { callCosts } from "./support/measure.ts";
import { Report } from "./support/report.ts";

/** What one identity keeps, unless it is told otherwise. */
const CAPACITY = 10_000;
/** The heap's own noise; without a bound on the cache, it would be ten times as much. */
const SLACK = 2;
const ROUNDS = 5;

/** What was measured of one size. */
interface Sample {
  /** MiB of the heap. */
  readonly heap: number;
  /** Microseconds to get one token that isn't there. */
  readonly miss: number;
  /** Microseconds of a hit among those that are there. */
  readonly hit: number;
}

const report = new Report();
await growth(1, [100]);
const [small] = await growth(10, [1]);
const [medium] = await growth(100, [10]);
const [full, beyond] = await growth(1, [CAPACITY, 10 * CAPACITY]);

const peerName = "10 identities x 1 resource";
for (
  const [name, sample] of [
    ["100 identities x 10 resources", medium!],
    ["1 identity x 10,000 resources", full!],
    ["1 identity x 100,000 resources", beyond!],
  ] as const
) {
  for (const [what, unit] of [["heap", "MiB"], ["hit", "us"]] as const) {
    const bench = `${what}, ${name}`;
    report.tell({ bench, ours: sample[what], peer: small![what], peerName, unit });
  }
}
report.tell({
  bench: "miss, 1 identity x 100,000 resources",
  ours: beyond!.miss,
  peer: full!.miss,
  peerName: "1 identity x 10,000 resources",
  unit: "us",
});
report.tell({
  bench: "heap after 100,000 resources",
  ours: beyond!.heap,
  peer: full!.heap,
  peerName: "10,000",
  unit: "MiB",
  target: { atMost: SLACK },
});
report.note(`a kept token takes ${(full!.heap * 1024 / CAPACITY).toFixed(2)} KiB beside its text`);
report.finish();

/** Samples of so many identities as the resources of each become more. */
async function growth(identities: number, steps: readonly number[]): Promise<Sample[]> {
  const host = await instantHost();
  const before = await heapInUse();
  const transports = [instantTransport()];
  const made: ManagedIdentity[] = [];
  for (let i = 0; i < identities; i++) {
    const identity = host.identity({ clientId: crypto.randomUUID(), transports });
    // The certificate is made here, so that it is no token's.
    await identity.getToken(question(0));
    made.push(identity);
    host.forget();
  }
  const samples: Sample[] = [];
  for (const [step, resources] of steps.entries()) {
    const first = steps[step - 1] ?? 0;
    const start = performance.now();
    for (const identity of made) {
      for (let j = first; j < resources; j++) await identity.getToken(question(j));
    }
    const taken = 1000 * (performance.now() - start) / (identities * (resources - first));
    const heap = (await heapInUse() - before) / 2 ** 20;
    const kept = Array.from(
      { length: Math.min(resources, CAPACITY) },
      (_, j) => question(resources - 1 - j),
    );
    const [cost] = await callCosts(ROUNDS, [
      (i) => made[i % identities]!.getToken(kept[i * 7919 % kept.length]!),
    ]);
    samples.push({ heap, miss: taken, hit: cost!.p50 });
  }
  for (const identity of made) await identity.close();
  return samples;
}

function question(j: number): TokenOptions {
  return { resource: `https://r${j}.example` };
}
