/**
 * From nothing to a bound token against the emulator, RSA-2048: the total over its parts, which are
 * the key's generation, the bare requests to the metadata service, and one token request over the
 * runtime's own TLS. What is more is ours.
 *
 * @module
 */

import { detect } from "../backends/detect.ts";
import { spawnEmulator } from "../emulator/mod.ts";
import { managedIdentity } from "../mod.ts";
import type { KeyProvider } from "../src/keys.ts";
import { createCertificateRequest } from "../src/x509/csr.ts";
import { bareMint, bareToken, clientPem } from "./support/bare_requests.ts";
import { median, times } from "./support/measure.ts";
import { Report } from "./support/report.ts";

const RESOURCE = "https://vault.azure.net";
const ROUNDS = 25;
const WARM_UP = 5;

const report = new Report();
const emulator = await spawnEmulator();
const { ca, metadata } = emulator;
const samples: Record<"total" | "parts" | "ratio" | "key" | "rest" | "bare", number>[] = [];
try {
  for (let round = 0; round < ROUNDS + WARM_UP; round++) {
    const sample = await measure();
    if (round >= WARM_UP) samples.push(sample);
  }
} finally {
  await emulator.close();
}
const of = (name: keyof typeof samples[number]) => median(samples.map((sample) => sample[name]));

// The ratio is the median of each round's own: a key takes 20 to 500 ms, as luck has it.
report.tell({
  bench: "cold acquisition",
  ours: of("ratio") * of("parts"),
  peer: of("parts"),
  peerName: "key generation, bare requests, native TLS",
  unit: "ms",
  target: { atMost: 1.1 },
});
report.tell({
  bench: "cold acquisition but the key",
  ours: of("rest"),
  peer: of("bare"),
  peerName: "bare requests, native TLS",
  unit: "ms",
});
report.note(`a key takes ${of("key").toFixed(0)} ms (median)`);
report.finish();

async function measure(): Promise<typeof samples[number]> {
  const environment = { AZURE_POD_IDENTITY_AUTHORITY_HOST: metadata };
  const host = await detect({ ca, environment });
  let generation = 0;
  const keys: KeyProvider = {
    name: host.keys.name,
    open: (id, options) => host.keys.open(id, options),
    remove: (id, options) => host.keys.remove(id, options),
    async create(id, options) {
      const start = performance.now();
      const key = await host.keys.create(id, options);
      generation = performance.now() - start;
      return key;
    },
  };
  const identity = managedIdentity({ ...host, keys });
  const start = performance.now();
  const { binding } = await identity.getToken({ resource: RESOURCE });
  const total = performance.now() - start;

  const client = { ca, ...await clientPem(binding) };
  const [tenantId, cuId] = ["751a212b-4003-416e-b600-e1f48e40db9f", {
    vmId: "test-vm-id",
    vmssId: "test-vmss-id",
  }];
  const { credential: { key }, clientId } = binding;
  const csr = await createCertificateRequest({ clientId, tenantId, cuId, key });
  const [bare] = await times(1, async () => {
    await bareMint(metadata, csr);
    await bareToken(binding, RESOURCE, client);
  });
  await identity.close();
  await host.close();
  const parts = generation + bare!;
  return {
    total,
    parts,
    ratio: total / parts,
    key: generation,
    rest: total - generation,
    bare: bare!,
  };
}
