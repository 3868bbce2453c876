/**
 * The OpenSSL transport under load: many connections, what they leave behind, and the event loop.
 *
 * @module
 */

import assert from "node:assert/strict";
import process from "node:process";
import { after, before, describe, it } from "node:test";
import { setImmediate } from "node:timers";
import { LazyRuntime } from "../../backends/openssl/options.ts";
import { transportOver } from "../../backends/openssl/transport.ts";
import type { Bytes } from "../../src/encoding.ts";
import type { KeyOptions, SignatureScheme, SigningKey } from "../../src/keys.ts";
import type { MtlsTransport } from "../../src/transports.ts";
import { synchronousKey } from "../support/synchronous_keys.ts";
import { type TlsAuthority, tlsAuthority } from "../support/tls_identities.ts";
import { startTlsServers, type TlsServers } from "../support/tls_servers.ts";

const { bun, deno, node } = process.versions;

/**
 * The full number on one runtime, since what could leak is C and the same on all: the newest of
 * those that don't need a loader, which the slowest machine does in 30 s.
 */
const CONNECTIONS = bun === undefined && deno === undefined && !node.startsWith("20.") ? 2000 : 400;
const PARALLEL = 8;

/** A third of the bytes that a connection takes which isn't given back. */
const LEAK = 30_000;

/** Counts the turns of the event loop. */
function countTurns(): { turns(): number; stop(): void } {
  let turns = 0;
  let running = true;
  const turn = () => {
    turns++;
    if (running) setImmediate(turn);
  };
  setImmediate(turn);
  return { turns: () => turns, stop: () => void (running = false) };
}

/** `key`, signing by a promise alone, after what `before` waits for. */
function promising(key: SigningKey, before: (signature: number) => Promise<void>): SigningKey {
  const { id, strength, spki, schemes } = key;
  let signatures = 0;
  return {
    id,
    strength,
    spki,
    schemes,
    async sign(scheme: SignatureScheme, data: Bytes, options?: KeyOptions) {
      await before(++signatures);
      return await key.sign(scheme, data, options);
    },
  };
}

describe("opensslTransport under load", () => {
  let authority: TlsAuthority;
  let servers: TlsServers;
  let runtime: LazyRuntime;
  let transport: MtlsTransport;
  let held: readonly object[];

  before(async () => {
    authority = await tlsAuthority("Load Test");
    const https = { kind: "https", ...await authority.server(), clientCa: authority.pem } as const;
    servers = await startTlsServers({
      "TLSv1.2": { ...https, maxVersion: "TLSv1.2" },
      "TLSv1.3": { ...https, minVersion: "TLSv1.3" },
    });
    runtime = new LazyRuntime({ ca: authority.pem });
    const close = runtime.close.bind(runtime);
    runtime.close = async () => held = await close();
    transport = transportOver(runtime, {});
  });
  after(async () => {
    await transport?.close();
    await servers?.close();
    assert.deepEqual(held, held.map(() => ({})), "not everything was given back");
  });

  const connect = async (key: SigningKey, count: number, by: MtlsTransport = transport) => {
    const credential = await authority.client(key);
    let started = 0;
    const loop = async () => {
      while (started < count) {
        const server = started++ % 2 === 0 ? "TLSv1.2" : "TLSv1.3";
        const request = new Request(servers.url(server, "/report"));
        const response = await by.fetch(request, credential, { connection: "fresh" });
        assert.equal((await response.json()).authorized, true);
      }
    };
    await Promise.all(Array.from({ length: PARALLEL }, loop));
  };

  it(`makes ${CONNECTIONS} connections, ${PARALLEL} at a time, and keeps none of their memory`, async () => {
    const memory = () => {
      const { rss, heapTotal } = process.memoryUsage();
      return rss - heapTotal;
    };
    const key = synchronousKey("P-256");
    const { openssl } = await runtime.load();
    await connect(key, CONNECTIONS / 4);
    const before = memory();
    await connect(key, 3 * CONNECTIONS / 4);
    assert.equal(key.signed.length, CONNECTIONS);
    // The last are still saying goodbye.
    while (openssl.live.connection) await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(openssl.live, { context: 2, key: 2, library: 1 });
    // Memory of the runtime itself comes and goes, by megabytes: only many connections tell.
    if (CONNECTIONS === 2000) {
      const grown = memory() - before;
      assert.ok(grown < LEAK * 3 * CONNECTIONS / 4, `memory has grown by ${grown} bytes`);
    }
  });

  it("lets the event loop turn between two signatures that are made in place", async () => {
    const inner = synchronousKey("P-256");
    const loop = countTurns();
    const signedAt: number[] = [];
    const key = {
      ...inner,
      signSync(scheme: SignatureScheme, data: Bytes) {
        signedAt.push(loop.turns());
        return inner.signSync(scheme, data);
      },
    };
    // Whoever asks: each transport may have no more than its share of a turn.
    const other = transportOver(new LazyRuntime({ ca: authority.pem }), {});
    await Promise.all([connect(key, 2 * PARALLEL), connect(key, 2 * PARALLEL, other)]);
    loop.stop();
    await other.close();
    assert.equal(signedAt.length, 4 * PARALLEL);
    assert.equal(new Set(signedAt).size, signedAt.length, signedAt.join());
  });

  it("lets the event loop turn while a handshake waits on another thread", async () => {
    const loop = countTurns();
    const turned = async () => {
      const start = loop.turns();
      while (loop.turns() < start + 50) await new Promise((resolve) => setImmediate(resolve));
    };
    await connect(promising(synchronousKey("P-256"), turned), PARALLEL);
    loop.stop();
  });

  it("has four handshakes wait for their signatures at the same time", async () => {
    let release: () => void;
    const all = new Promise<void>((resolve) => release = resolve);
    const key = promising(synchronousKey("P-256"), async (signature) => {
      if (signature === 4) release();
      await all;
    });
    await connect(key, PARALLEL);
  });
});
