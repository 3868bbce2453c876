/**
 * The lock that processes share: its decisions, every order of its steps, real processes.
 *
 * @module
 */

import assert from "node:assert/strict";
import { lstat, mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { afterEach, beforeEach, describe, it } from "node:test";
import fc from "fast-check";
import { aliasHash } from "../../backends/files/entry.ts";
import { type FileSystem, hostFileSystem } from "../../backends/files/file_system.ts";
import { identifyProcess, parseStat, pidState } from "../../backends/files/host_process.ts";
import { acquireFileLock } from "../../backends/files/lock.ts";
import { decide, HEARTBEAT, STALE, WATCH } from "../../backends/files/lock_decision.ts";
import {
  isComparable,
  judgeOwner,
  type LockOwner,
  ownerOf,
  type PidState,
  tokenOf,
} from "../../backends/files/lock_owner.ts";
import { fileStore } from "../../backends/files/mod.ts";
import { PrivateDirectory } from "../../backends/files/private_directory.ts";
import { FileStore } from "../../backends/files/store.ts";
import { hostSurroundings, type Surroundings } from "../../backends/files/surroundings.ts";
import { isKeyboundError } from "../../src/errors.ts";
import { drive, EPOCH, manualClock } from "../support/clock.ts";
import { until } from "../support/waiting.ts";
import { ended, type Program, startProgram, written } from "./support/child.ts";
import { ModelHost } from "./support/model_host.ts";

const OWNER: LockOwner = {
  host: "00112233445566aa",
  boot: "6638a15cef194c7c871c6ac5597af903",
  pidNamespace: "4026531836",
  pid: 4711,
  startTime: "148975",
  nonce: "0123456789abcdef",
};
const RUNNING: PidState = { state: "present", startTime: OWNER.startTime };
const ABSENT: PidState = { state: "absent" };
const CHILD = new URL("./support/lock_child.ts", import.meta.url);

describe("The owner of a lock", () => {
  it("is told by the name of the token, and by no other name", () => {
    const unknown = { ...OWNER, host: "-", boot: "-", pidNamespace: "-", startTime: "-" };
    for (const owner of [OWNER, unknown]) assert.deepEqual(ownerOf(tokenOf(owner)), owner);
    const good = tokenOf(OWNER);
    for (const bad of ["", "held", ".DS_Store", good + "x", good.slice(1), good + ".rejected"]) {
      assert.equal(ownerOf(bad), undefined, bad);
    }
    assert.ok(good.length < 143, "encrypting file systems take no more");
  });

  const self = { ...OWNER, pid: 1, startTime: "1" };
  const judgements: [string, Partial<LockOwner>, PidState, string][] = [
    ["lives while its process runs", {}, RUNNING, "alive"],
    ["is dead when its process is gone", {}, ABSENT, "dead"],
    ["is dead when its pid is another process's", { startTime: "7" }, RUNNING, "dead"],
    ["of an earlier boot of this host is dead", { boot: "ab" }, RUNNING, "dead"],
    ["on another host can't be judged by its pid", { host: "ff" }, ABSENT, "unknown"],
    ["on another host and boot can't be judged", { host: "ff", boot: "ab" }, ABSENT, "unknown"],
    ["in another container can't be judged by its pid", { pidNamespace: "1" }, ABSENT, "unknown"],
    ["of unknown boot can't be judged", { boot: "-" }, ABSENT, "unknown"],
    ["of unknown host can't be judged", { host: "-" }, ABSENT, "unknown"],
    ["of unknown pid namespace can't be judged", { pidNamespace: "-" }, ABSENT, "unknown"],
    ["of unknown start can't be told from another", { startTime: "-" }, RUNNING, "unknown"],
    ["that the host won't tell of can't be judged", {}, { state: "unknown" }, "unknown"],
  ];
  for (const [title, difference, pid, expected] of judgements) {
    it(title, () => {
      assert.equal(judgeOwner({ ...OWNER, ...difference }, self, pid), expected);
    });
  }

  it("isn't compared where both know nothing", () => {
    const nobody = { ...OWNER, boot: "-", pidNamespace: "-" };
    assert.ok(!isComparable(nobody, nobody));
    assert.equal(judgeOwner(nobody, nobody, ABSENT), "unknown");
  });

  it("is read from /proc though the name of the program holds anything", () => {
    const fields = `1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 98765 20 21`;
    assert.deepEqual(parseStat(`7 (a) R (b) S ${fields}`), {
      state: "present",
      startTime: "98765",
    });
    assert.deepEqual(parseStat(`7 (node) Z ${fields}`), { state: "absent" });
    for (
      const stat of ["", "7", "7 (node) S 1 2 3", `7 (node) S ${fields.replace("98765", "x")}`]
    ) {
      assert.deepEqual(parseStat(stat), { state: "unknown" }, stat);
    }
  });

  it("is known of this process, and a pid that nobody has is absent", async () => {
    const self = await identifyProcess();
    assert.equal(self.pid, process.pid);
    assert.equal(judgeOwner(self, self, await pidState(self.pid)) === "dead", false);
    assert.deepEqual(await pidState(0x7fff_fffe), ABSENT);
    if (process.platform !== "linux") return;
    assert.equal(judgeOwner(self, self, await pidState(self.pid)), "alive");
  });
});

describe("The decision about a lock", () => {
  const sight = (liveness: "alive" | "dead" | "unknown", touched = EPOCH) => ({
    token: "held.other",
    mine: false,
    liveness,
    touched,
  });
  const since = (time: number, touched = EPOCH) => ({ token: "held.other", touched, since: time });

  it("is to put a token where none is seen", () => {
    assert.deepEqual(decide(undefined, undefined, EPOCH), { step: "put" });
  });

  it("is to remove the token of a dead holder at once", () => {
    const step = decide(sight("dead"), undefined, EPOCH);
    assert.deepEqual(step, { step: "remove", token: "held.other" });
  });

  it("is to enter where the token is one's own, though the answer to the rename got lost", () => {
    assert.deepEqual(decide({ ...sight("alive"), mine: true }, undefined, EPOCH), {
      step: "enter",
    });
  });

  it("is to wait for a living holder for ever, however long ago its heartbeat", () => {
    const later = EPOCH + 100 * STALE;
    const step = decide(sight("alive"), since(EPOCH), later);
    assert.deepEqual(step, { step: "wait", watch: since(EPOCH) });
  });

  it("is to wait for a holder of unknown fate until its heartbeat is stale", () => {
    const step = decide(sight("unknown"), since(EPOCH), EPOCH + STALE - 1);
    assert.deepEqual(step, { step: "wait", watch: since(EPOCH) });
    const stale = decide(sight("unknown"), since(EPOCH), EPOCH + STALE);
    assert.deepEqual(stale, { step: "remove", token: "held.other" });
  });

  it("is to watch a stale heartbeat for one interval before it counts", () => {
    const now = EPOCH + 100 * STALE;
    const first = decide(sight("unknown"), undefined, now);
    assert.deepEqual(first, { step: "wait", watch: since(now) });
    const early = decide(sight("unknown"), since(now), now + WATCH - 1);
    assert.deepEqual(early, { step: "wait", watch: since(now) });
    const late = decide(sight("unknown"), since(now), now + WATCH);
    assert.deepEqual(late, { step: "remove", token: "held.other" });
    assert.ok(WATCH > HEARTBEAT);
  });

  it("is to watch anew after each heartbeat and for each holder", () => {
    const now = EPOCH + STALE;
    const beaten = decide(sight("unknown", EPOCH + 1), since(EPOCH), now);
    assert.deepEqual(beaten, { step: "wait", watch: since(now, EPOCH + 1) });
    const other = decide(sight("unknown"), { ...since(EPOCH), token: "held.third" }, now);
    assert.deepEqual(other, { step: "wait", watch: since(now) });
  });

  it("is to take no heartbeat from the future for a sign of life", () => {
    const touched = EPOCH + 10 * STALE;
    const step = decide(sight("unknown", touched), since(EPOCH, touched), EPOCH + WATCH);
    assert.deepEqual(step, { step: "remove", token: "held.other" });
  });
});

describe("The lock, whatever the order of steps", () => {
  const processes = 4;
  const turns = 2;
  // Bursts of one process, during which what the others have read grows old.
  const schedule = fc.array(
    fc.record({
      pid: fc.integer({ min: 1, max: processes }),
      steps: fc.integer({ min: 1, max: 16 }),
    }),
    { minLength: 40, maxLength: 40 },
  );
  const killings = fc.array(
    fc.record({ pid: fc.integer({ min: 1, max: processes - 1 }), at: fc.nat(250) }),
    { maxLength: 3 },
  );

  it("lets one process in at a time and in the end every one that lives", async () => {
    await fc.assert(
      fc.asyncProperty(fc.boolean(), schedule, killings, async (posix, bursts, deaths) => {
        const turn = bursts.flatMap(({ pid, steps }) => Array.from({ length: steps }, () => pid));
        const host = new ModelHost("/locks", posix);
        const inside = new Set<number>();
        const done = new Map<number, number>();
        const killed = new Set<number>();
        const failures: unknown[] = [];
        for (let pid = 1; pid <= processes; pid++) {
          contend(host, pid, turns, inside, killed, done).catch((error) => failures.push(error));
        }
        for (let i = 0; host.pending > 0; i++) {
          for (const { pid } of deaths.filter(({ at }) => at === i)) {
            host.kill(pid);
            killed.add(pid);
            inside.delete(pid);
          }
          if (host.pending > 0) await host.step(turn[i] ?? 0);
          assert.deepEqual(failures, []);
          assert.ok(i < 20_000, "nobody gets any further");
        }
        for (let pid = 1; pid <= processes; pid++) {
          if (!killed.has(pid)) assert.equal(done.get(pid), turns);
        }
        const left = host.paths.filter((path) => !path.startsWith("/locks/.staging"));
        assert.ok(left.length <= 3, left.join());
      }),
      { numRuns: 300, endOnFailure: true },
    );
  });
});

/** One process of the model: takes the lock some times and checks that it is alone. */
async function contend(
  host: ModelHost,
  pid: number,
  turns: number,
  inside: Set<number>,
  killed: ReadonlySet<number>,
  done: Map<number, number>,
): Promise<void> {
  const fs = host.fileSystem(pid);
  const clock = host.clock(pid);
  let count = 0;
  const nonce = () => `${pid}${count++}`.padStart(16, "0");
  const directory = new PrivateDirectory({ path: "/locks", fs, uid: 0, nonce });
  for (let turn = 1; turn <= turns; turn++) {
    const release = await acquireFileLock("a.lock", {
      directory,
      clock,
      nonce,
      self: { ...OWNER, pid, startTime: "1" },
      pidState: (other) => Promise.resolve(host.pidState(other)),
      random: () => 0.5,
      every: () => () => {},
    }, { deadline: Infinity, timeout: Infinity });
    assert.ok(!killed.has(pid));
    inside.add(pid);
    assert.equal(inside.size, 1, `${[...inside].join(" and ")} are inside`);
    for (let sleeps = 0; sleeps < 6; sleeps++) await clock.sleep(1);
    assert.equal(inside.size, 1, `${[...inside].join(" and ")} are inside`);
    inside.delete(pid);
    await release();
    done.set(pid, turn);
  }
}

describe("The lock in a directory", () => {
  let directory: string;
  const programs = new Set<Program>();
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "keybound-"));
  });
  afterEach(async () => {
    for (const program of programs) program.kill("SIGKILL");
    programs.clear();
    await rm(directory, { recursive: true });
  });

  function start(...parameters: string[]): Program {
    const program = startProgram(CHILD, parameters);
    programs.add(program);
    return program;
  }

  /** A lock that this owner holds, its last heartbeat at `touched`. */
  async function leave(alias: string, owner: LockOwner, touched: number): Promise<string> {
    const path = join(directory, `${aliasHash(alias)}.lock`);
    await mkdir(path, { mode: 0o700 });
    const token = join(path, tokenOf(owner));
    await writeFile(token, "", { mode: 0o600 });
    await utimes(token, touched / 1000, touched / 1000);
    return token;
  }

  async function exists(path: string): Promise<boolean> {
    return await lstat(path).then(() => true, () => false);
  }

  async function tokens(alias: string): Promise<string[]> {
    return await readdir(join(directory, `${aliasHash(alias)}.lock`));
  }

  const storeWith = (given: Partial<Surroundings>) =>
    new FileStore(
      directory,
      hostSurroundings({ identify: () => Promise.resolve(OWNER), ...given }),
    );
  const done = () => Promise.resolve("done");

  it("loses no addition of 16 processes", { timeout: 120_000 }, async () => {
    const file = join(directory, "count");
    await writeFile(file, "0");
    const runs = Array.from({ length: 16 }, () => ended(start("count", directory, file, "15")));
    assert.deepEqual(await Promise.all(runs), Array.from({ length: 16 }, () => 0));
    assert.equal(await readFile(file, "utf8"), String(16 * 15));
  });

  it("is taken at once from a process that was killed", { timeout: 60_000 }, async () => {
    const program = start("hold", directory);
    await written(program, "held");
    const store = fileStore({ directory });
    const refused = store.lock("held", done, { timeout: 0 });
    await assert.rejects(refused, (error) => isKeyboundError(error, "store_lock_timeout"));
    const waiting = store.lock("held", done, { timeout: STALE / 3 });
    program.kill("SIGKILL");
    assert.equal(await waiting, "done");
  });

  it("says nothing of a process but what tells it from others", async () => {
    await fileStore({ directory }).lock("alias", async () => {
      const [token, ...others] = await tokens("alias");
      assert.deepEqual(others, []);
      assert.equal(ownerOf(token!)?.pid, process.pid);
    });
    assert.deepEqual(await readdir(directory), []);
  });

  it("is taken at once from an owner of an earlier boot", async () => {
    const clock = manualClock();
    await leave("alias", { ...OWNER, boot: "0123" }, EPOCH);
    const store = storeWith({ clock, pidState: () => Promise.resolve(RUNNING) });
    assert.equal(await store.lock("alias", done, { timeout: 0 }), "done");
    assert.deepEqual(await readdir(directory), []);
  });

  it("is taken at once from an owner whose pid was given to another process", async () => {
    await leave("alias", OWNER, EPOCH);
    const other = { state: "present", startTime: "999" } as const;
    const store = storeWith({ pidState: () => Promise.resolve(other) });
    assert.equal(await store.lock("alias", done, { timeout: 0 }), "done");
  });

  it("is taken from a silent owner on another host after 30 seconds", async () => {
    const clock = manualClock();
    await leave("alias", { ...OWNER, host: "ffffffffffffffff" }, EPOCH);
    const store = storeWith({ clock });
    assert.equal(await drive(clock, store.lock("alias", done, { timeout: 60_000 })), "done");
    const waited = clock.now() - EPOCH;
    assert.ok(waited >= STALE && waited < STALE + 1_000, `${waited} ms`);
  });

  it("is left to an owner on another host as long as it gives heartbeats", async () => {
    const clock = manualClock();
    const token = await leave("alias", { ...OWNER, host: "ffffffffffffffff" }, EPOCH);
    const waiting = storeWith({ clock }).lock("alias", done, { timeout: 20 * HEARTBEAT });
    const outcome = assert.rejects(waiting, (e) => isKeyboundError(e, "store_lock_timeout"));
    for (let beats = 0; beats < 20; beats++) {
      await drive(clock, clock.sleep(HEARTBEAT));
      await utimes(token, clock.now() / 1000, clock.now() / 1000);
    }
    await drive(clock, outcome);
  });

  it("gets heartbeats while it is held, and none before and after", async () => {
    const clock = manualClock();
    const beats = new Set<() => void>();
    const touched: number[] = [];
    const host = hostFileSystem();
    const fs: FileSystem = {
      ...host,
      utimes: async (path, atime, mtime) => {
        touched.push(mtime * 1000);
        await host.utimes(path, atime, mtime);
      },
    };
    const every = (interval: number, beat: () => void) => {
      assert.equal(interval, HEARTBEAT);
      beats.add(beat);
      return () => beats.delete(beat);
    };
    await storeWith({ clock, fs, every }).lock("alias", async () => {
      await clock.advance(HEARTBEAT);
      for (const beat of beats) beat();
    });
    assert.deepEqual(touched, [EPOCH, EPOCH + HEARTBEAT]);
    assert.equal(beats.size, 0);
  });

  it("that was taken from a holder stays with whoever took it", async () => {
    const path = join(directory, `${aliasHash("alias")}.lock`);
    const thief = tokenOf({ ...OWNER, nonce: "ffffffffffffffff" });
    await storeWith({}).lock("alias", async () => {
      const [token] = await tokens("alias");
      await hostFileSystem().rename(join(path, token!), join(path, thief));
    });
    assert.deepEqual(await tokens("alias"), [thief]);
  });

  it("is free where an empty directory was left, replaceable or not", async () => {
    const path = join(directory, `${aliasHash("alias")}.lock`);
    const host = hostFileSystem();
    const rename = async (from: string, to: string) => {
      if (await exists(to)) throw Object.assign(new Error("in the way"), { code: "EPERM" });
      await host.rename(from, to);
    };
    for (const fs of [host, { ...host, rename }]) {
      await mkdir(path, { mode: 0o700 });
      assert.equal(await storeWith({ fs }).lock("alias", done, { timeout: 1_000 }), "done");
      assert.deepEqual(await readdir(directory), []);
    }
  });

  it("tells by store_unavailable that it couldn't be released, unless the work failed", async () => {
    const host = hostFileSystem();
    const unlink = () => Promise.reject(Object.assign(new Error("i/o"), { code: "EIO" }));
    const store = storeWith({ fs: { ...host, unlink } });
    const unreleased = store.lock("alias", done);
    await assert.rejects(unreleased, (error) => isKeyboundError(error, "store_unavailable"));
    const failed = store.lock("other", () => Promise.reject(new Error("the work's own")));
    await assert.rejects(failed, /the work's own/);
  });

  it("is released as soon as the disk allows it, in one try a heartbeat", async () => {
    const host = hostFileSystem();
    const beats = new Set<() => void>();
    let isReadOnly = false;
    let tries = 0;
    const unlink = async (path: string) => {
      tries++;
      if (isReadOnly) throw Object.assign(new Error("read-only"), { code: "EROFS" });
      await host.unlink(path);
    };
    const every = (interval: number, beat: () => void) => {
      assert.equal(interval, HEARTBEAT);
      beats.add(beat);
      return () => beats.delete(beat);
    };
    const beat = async () => {
      const before = tries;
      for (const each of beats) each();
      await until(() => tries > before);
    };
    const unreleased = storeWith({ fs: { ...host, unlink }, every }).lock("alias", () => {
      isReadOnly = true;
      return done();
    });
    await assert.rejects(unreleased, (error) => isKeyboundError(error, "store_unavailable"));
    await beat();
    assert.equal((await tokens("alias")).length, 1);
    isReadOnly = false;
    await beat();
    assert.equal(await storeWith({}).lock("alias", done, { timeout: 1_000 }), "done");
    await until(() => beats.size === 0);
    assert.equal(tries, 3);
  });

  it("isn't kept when taking it fails half-way", async () => {
    const host = hostFileSystem();
    const utimes = () => Promise.reject(Object.assign(new Error("i/o"), { code: "EIO" }));
    const store = storeWith({ fs: { ...host, utimes } });
    const failing = store.lock("alias", done);
    await assert.rejects(failing, (error) => isKeyboundError(error, "store_unavailable"));
    assert.deepEqual(await readdir(directory), []);
  });

  it("isn't entered without a token, should the staging directory have been swept", async () => {
    const host = hostFileSystem();
    let sweeps = 1;
    const rename = async (from: string, to: string) => {
      if (sweeps-- > 0) { for (const name of await readdir(from)) await rm(join(from, name)); }
      await host.rename(from, to);
    };
    await storeWith({ fs: { ...host, rename } }).lock("alias", async () => {
      assert.equal((await tokens("alias")).length, 1);
    });
  });

  it("is recognized as taken though the answer to the rename got lost", async () => {
    const host = hostFileSystem();
    const rename = async (from: string, to: string) => {
      await host.rename(from, to);
      throw Object.assign(new Error("lost"), { code: "EEXIST" });
    };
    const store = storeWith({ fs: { ...host, rename } });
    assert.equal(await store.lock("alias", done, { timeout: 1_000 }), "done");
    assert.deepEqual(await readdir(directory), []);
  });

  it("fails with store_unavailable where its place is taken by a file", async () => {
    await writeFile(join(directory, `${aliasHash("alias")}.lock`), "");
    const failing = fileStore({ directory }).lock("alias", done);
    await assert.rejects(failing, (error) => isKeyboundError(error, "store_unavailable"));
  });

  it("fails with store_unavailable when the disk is full, and leaves nothing behind", async () => {
    const full = () => Promise.reject(Object.assign(new Error("full"), { code: "ENOSPC" }));
    const store = storeWith({ fs: { ...hostFileSystem(), open: full } });
    const failing = store.lock("alias", done);
    await assert.rejects(failing, (error) => isKeyboundError(error, "store_unavailable"));
    assert.deepEqual(await readdir(directory), []);
  });
});
