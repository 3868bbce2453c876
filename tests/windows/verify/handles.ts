/**
 * Whether anything is left open: handles of this process before and after many cycles.
 *
 * @module
 */

import { windowsKeys, windowsStore } from "../../../backends/windows/mod.ts";
import { loadFfi, signature } from "../../../backends/ffi/mod.ts";
import { schannelTransport } from "../../../backends/schannel/mod.ts";
import { tlsAuthority } from "../../support/tls_identities.ts";
import { startTlsServers } from "../../support/tls_servers.ts";
import type { Host } from "./host.ts";
import { expect, Impossible } from "./verification.ts";

const CYCLES = 1_000;
const HANDSHAKES = 100;

/** What a runtime opens and closes of its own accord meanwhile. */
const NOISE = 24;

/** The checks. */
export async function verifyHandles({ verification, system, run }: Host): Promise<void> {
  const keys = windowsKeys({ system: () => Promise.resolve(system) });
  const store = windowsStore({ keys, system: () => Promise.resolve(system) });
  const id = `verify ${run} handles`;
  try {
    const key = await keys.create(id, { algorithm: "RSA-2048" });
    const sign = async () => void await key.sign(key.schemes[0]!, new Uint8Array(1));
    await verification.check(`${CYCLES} signatures`, () => growth(CYCLES, sign));
    const open = async () => void await keys.open(id);
    await verification.check(`${CYCLES} keys opened`, () => growth(CYCLES, open));
    const alias = `verify-${run}-handles#att=0`;
    const lock = () => store.lock(alias, async () => void await store.list(alias));
    await verification.check(`${CYCLES} locks, and readings`, () => growth(CYCLES, lock));

    const authority = await tlsAuthority("keybound verification");
    const identity = await authority.server();
    const servers = await startTlsServers({
      https: { kind: "https", ...identity, clientCa: authority.pem },
    });
    try {
      const credential = await authority.client(key);
      await verification.check(
        `${HANDSHAKES} handshakes, each over a transport of its own`,
        () =>
          growth(HANDSHAKES, async () => {
            const transport = schannelTransport({ ca: authority.pem });
            const request = new Request(servers.url("https", "/report"));
            await (await transport.fetch(request, credential, { connection: "fresh" }))
              .arrayBuffer();
            await transport.close();
          }),
      );
    } finally {
      await servers.close();
    }
  } finally {
    await keys.remove(id).catch(() => {});
  }
}

/** How many more handles there are after `work` was done so often; fails where they grow with it. */
async function growth(cycles: number, work: () => Promise<void>): Promise<string> {
  // What is opened once and kept.
  for (let i = 0; i < 20; i++) await work();
  const count = await handleCounter();
  const before = count();
  for (let i = 0; i < cycles; i++) await work();
  const after = count();
  if (after === 0) throw new Impossible("Done, but this system counts no handles (Wine doesn't).");
  expect(after - before <= NOISE, `${before} handles before, ${after} after.`);
  return `${before} handles before, ${after} after`;
}

async function handleCounter(): Promise<() => number> {
  const kernel32 = (await loadFfi()).open("kernel32.dll");
  const count = kernel32.function(
    "GetProcessHandleCount",
    signature("i32", "address", "buffer"),
  );
  // `GetCurrentProcess()`.
  const self = 0xffff_ffff_ffff_ffffn;
  return () => {
    const out = new Uint8Array(4);
    expect(count(self, out) !== 0, "The handles can't be counted.");
    return new DataView(out.buffer).getUint32(0, true);
  };
}
