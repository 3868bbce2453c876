/**
 * Connections to the token endpoint that end at each of their bytes in turn.
 *
 * @module
 */

import assert from "node:assert/strict";
import process from "node:process";
import { after, before, describe, it } from "node:test";
import { type ErrorCode, isKeyboundError } from "../../../mod.ts";
import { REMINT_COOLDOWN } from "../../../src/policy/healing.ts";
import type { TlsVersion } from "../../../src/transports.ts";
import type { Direction, WireFault } from "./cutting_proxy.ts";
import { judgeToken } from "./oracle.ts";
import { seededRandom, seedOfRun } from "./random.ts";
import { inRealTime } from "./real_time.ts";
import { CLIENTS } from "./clients.ts";
import { type Client, World } from "./world.ts";

/** What may become of an acquisition whose connection ends. */
const CODES: readonly ErrorCode[] = ["tls_credential_suspect", "connection_reset"];

/** For a busy machine, milliseconds; on an idle one it takes a tenth. */
const LONG = { timeout: 110_000 };

/** How many positions are cut at once, each on a connection of its own. */
const AT_ONCE = 8;

/** How many such batches come between two looks at whether all is well. */
const LOOK_AFTER = 32;

/**
 * Which bytes have their turn here: all on Deno and Bun; of the Nodes the odd ones on 22, the even
 * ones on the others, so that one run of the suite cuts at all of them on each kind of runtime. With
 * `KEYBOUND_EVERY_BYTE=1` all.
 */
function ownPositions(): readonly [start: number, stride: number] {
  const { bun, deno, node } = process.versions;
  if (process.env.KEYBOUND_EVERY_BYTE === "1" || (bun ?? deno) !== undefined) return [0, 1];
  return [node.startsWith("22.") ? 1 : 0, 2];
}

/**
 * Declares the tests over this TLS version, for the bytes that go this way. Reset and FIN take turns,
 * as the seed says.
 */
export function describeBytePositions(tlsVersion: TlsVersion, way: Direction): void {
  const seed = seedOfRun();
  const [start, stride] = ownPositions();
  let world: World;
  let client: Client;
  before(async () => {
    world = await World.start(seededRandom(seed), [{ ...CLIENTS[0]!, tlsVersion }]);
    client = world.clients[0]!;
  });
  after(() => world.close());

  const asked = async (resource: string = "https://vault.azure.net"): Promise<void> => {
    const token = await inRealTime(client.identity.getToken({ resource, forceRefresh: true }));
    judgeToken(token, { client, resource, now: world.clock.now() });
  };
  const issued = async () => (await world.emulator.counts()).issuecredential;

  /** Bytes of an acquisition that works: signatures in it differ in length by a few. */
  const measured = async () => {
    await asked();
    return world.proxies.token.passages.at(-1)![way] + 8;
  };

  /** Cuts at each byte, and says how many acquisitions failed by each code. */
  const cutEach = async (): Promise<Map<ErrorCode, number>> => {
    const length = await measured();
    const failed = new Map<ErrorCode, number>();
    for (let batch = 0; start + batch * AT_ONCE * stride < length; batch++) {
      const first = start + batch * AT_ONCE * stride;
      const positions = Array.from({ length: AT_ONCE }, (_, i) => first + i * stride);
      world.proxies.token.arm(...positions.map((at, i): WireFault => {
        return {
          kind: "cut",
          way,
          at,
          ending: (batch + i + (seed >>> 1)) % 2 === 0 ? "reset" : "fin",
        };
      }));
      await Promise.all(positions.map(async (at) => {
        try {
          await asked(`https://byte-${at}.example`);
        } catch (error) {
          const code = CODES.find((code) => isKeyboundError(error, code));
          if (code === undefined) throw new Error(`one of bytes ${positions}`, { cause: error });
          failed.set(code, (failed.get(code) ?? 0) + 1);
        }
      }));
      world.proxies.token.disarm();
      if (batch % LOOK_AFTER === 0) await asked();
    }
    await asked();
    return failed;
  };

  describe(`a ${tlsVersion} connection that ends at any byte of its ${way} (seed ${seed})`, () => {
    it("costs one certificate in all in a cool-down, and the next call works", LONG, async () => {
      await asked();
      const before = await issued();
      const failed = await cutEach();
      assert.equal(await issued() - before, 1);
      assert.ok(failed.get("tls_credential_suspect")! > 500, "most ended before any answer");
    });

    it("costs one certificate each time when that is over, and the call works", LONG, async () => {
      const length = await measured();
      for (let at = seed % 211; at < length; at += 211) {
        await world.clock.advance(REMINT_COOLDOWN);
        await world.synchronize();
        const before = await issued();
        world.proxies.token.arm({ kind: "cut", way, at, ending: "reset" });
        await asked().catch((error) => assert.ok(isKeyboundError(error, "connection_reset")));
        assert.ok(await issued() - before <= 1, `byte ${at}`);
        world.proxies.token.disarm();
      }
    });
  });
}
