/**
 * The instruments of these tests: a schedule that a seed replays, a relay that cuts where it is told.
 *
 * @module
 */

import assert from "node:assert/strict";
import { connect, createServer, type Socket } from "node:net";
import { after, before, describe, it } from "node:test";
import { CuttingProxy, type WireFault } from "./support/cutting_proxy.ts";
import type { Episode, Fault } from "./support/faults.ts";
import { seededRandom } from "./support/random.ts";
import { schedule } from "./support/schedule.ts";
import { SimulatedClock } from "./support/simulated_clock.ts";

/** The first episodes of a seed's schedule. */
function episodes(seed: number, count: number): Episode[] {
  const all = schedule(seededRandom(seed), 4);
  return Array.from({ length: count }, () => all.next().value);
}

describe("a fault schedule", () => {
  it("is the same for the same seed, and another for another", () => {
    assert.deepEqual(episodes(7, 20), episodes(7, 20));
    assert.notDeepEqual(episodes(7, 20), episodes(8, 20));
  });

  it("has every kind of fault", () => {
    const kinds = new Set(
      episodes(1, 200).flat().flatMap(({ faults }) => faults.map(({ kind }) => kind)),
    );
    const expected: Record<Fault["kind"], true> = {
      answer: true,
      stolen_token: true,
      state: true,
      handshake: true,
      wire: true,
      disk: true,
      damage: true,
      key_deleted: true,
      key_dead: true,
      device: true,
      revoked: true,
      owner_killed: true,
      time: true,
      clock: true,
    };
    assert.deepEqual([...kinds].sort(), Object.keys(expected).sort());
  });
});

describe("a relay", () => {
  let target: ReturnType<typeof createServer>;
  let proxy: CuttingProxy;
  const waits: number[] = [];
  before(async () => {
    // Answers each connection's bytes, in capitals, and ends it after its client.
    target = createServer((socket: Socket) => {
      socket.on("error", () => {});
      socket.on("data", (bytes) => socket.write(String(bytes).toUpperCase()));
    });
    await new Promise<void>((resolve) => target.listen(0, "127.0.0.1", resolve));
    const address = target.address() as { port: number };
    proxy = await CuttingProxy.start(address.port, (ms) => {
      waits.push(ms);
      return Promise.resolve();
    });
  });
  after(async () => {
    await proxy.close();
    await new Promise<void>((resolve) => target.close(() => resolve()));
  });

  /** What comes back for `text`, and how the connection ended. */
  const echo = async (text: string): Promise<string> => {
    const socket = connect(proxy.port, "127.0.0.1");
    let answer = "";
    let ending = "closed";
    socket.on("error", () => ending = "reset");
    socket.on("data", (bytes) => {
      answer += String(bytes);
      if (answer.length === text.length) socket.end();
    });
    socket.write(text);
    await new Promise<void>((resolve) => socket.once("close", () => resolve()));
    return `${answer} ${ending}`;
  };

  const cases: [fault: WireFault, expected: string | RegExp][] = [
    [{ kind: "cut", way: "response", at: 3, ending: "fin" }, "ABC closed"],
    [{ kind: "cut", way: "request", at: 3, ending: "fin" }, /^(ABC)? closed$/],
    [{ kind: "cut", way: "response", at: 0, ending: "reset" }, " reset"],
    [{ kind: "cut", way: "request", at: 0, ending: "reset" }, " reset"],
    [{ kind: "cut", way: "response", at: 6, ending: "reset" }, "ABCDEF closed"],
    [{ kind: "flip", way: "response", at: 1 }, "AFCDEF closed"],
    [{ kind: "hold", way: "request", at: 2, ms: 7_000 }, "ABCDEF closed"],
    [{ kind: "drip", piece: 2, ms: 9 }, "ABCDEF closed"],
  ];
  for (const [fault, expected] of cases) {
    it(`does what it is told, once: ${JSON.stringify(fault)}`, async () => {
      waits.length = 0;
      proxy.arm(fault);
      const seen = await echo("abcdef");
      if (typeof expected === "string") assert.equal(seen, expected);
      else assert.match(seen, expected);
      if (fault.kind === "hold") assert.deepEqual(waits, [7_000]);
      if (fault.kind === "drip") assert.ok(waits.length >= 2);
      assert.equal(await echo("abcdef"), "ABCDEF closed");
      assert.equal(proxy.armed, 0);
    });
  }
});

describe("a simulated clock", () => {
  it("lets time pass through announced waits at once, and wakes those who are due", async () => {
    const clock = new SimulatedClock(1_000);
    const woken: number[] = [];
    const deadline = clock.sleep(50).then(() => woken.push(clock.elapsed));
    clock.announce(60.5);
    await clock.sleep(60.5);
    await deadline;
    assert.deepEqual([woken, clock.now()], [[60.5], 1_060.5]);
  });

  it("wakes nobody when it is set", async () => {
    const clock = new SimulatedClock(1_000);
    let woken = false;
    const controller = new AbortController();
    clock.sleep(50, controller.signal).then(() => woken = true, () => {});
    clock.set(5_000);
    await clock.advance(49);
    assert.deepEqual([woken, clock.now(), clock.elapsed], [false, 6_049, 49]);
    await clock.advance(1);
    assert.equal(woken, true);
  });
});
