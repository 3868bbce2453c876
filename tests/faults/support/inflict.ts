/**
 * Faults as they come about.
 *
 * @module
 */

import { chmod, readdir, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ended, startProgram, written } from "../../backends/support/child.ts";
import type { Fault } from "./faults.ts";
import { type Client, KEY_ID, type World } from "./world.ts";

/** What is left to do about a fault while somebody acquires, `done` being the end of that. */
export type Meanwhile = (done: Promise<unknown>) => Promise<void>;

/** Lets a fault come about for a client. `stolen` is the token of another identity. */
export async function inflict(
  world: World,
  client: Client,
  fault: Fault,
  stolen: string,
): Promise<Meanwhile | undefined> {
  switch (fault.kind) {
    case "answer":
      await world.script(fault.endpoint, fault.step);
      return;
    case "stolen_token":
      await world.script("token", { kind: "amend", merge: { access_token: stolen } });
      return;
    case "state":
      await world.set(fault.changes);
      return;
    case "handshake":
      await world.emulator.fault("token", fault.fault);
      return;
    case "wire":
      world.proxies[fault.to].arm(...fault.faults);
      return;
    case "disk":
      world.files.fail(fault.trouble);
      return;
    case "damage":
      await damage(world.directory, fault.what);
      return;
    case "key_deleted":
      await world.plainKeys().remove(KEY_ID);
      return;
    case "key_dead": {
      const key = await world.plainKeys().open(KEY_ID).catch(() => undefined);
      if (key !== undefined) world.device.kill(key, fault.death);
      return;
    }
    case "device":
      world.device.trouble = fault.trouble;
      return;
    case "revoked":
      await world.set({ revocation: fault.answer });
      await world.emulator.revoke({ issued: true });
      return;
    case "time":
      await world.clock.advance(fault.ms);
      await world.synchronize();
      return;
    case "clock":
      world.misset(fault.ms);
      return;
    case "owner_killed": {
      const owner = startProgram(new URL("./lock_owner.ts", import.meta.url), [
        world.directory,
        client.alias,
      ]);
      await written(owner, "held");
      return async (done) => {
        await Promise.race([world.files.lockSeen(), done]);
        owner.kill("SIGKILL");
        await ended(owner);
      };
    }
  }
}

async function damage(directory: string, what: "entries" | "key" | "open_key"): Promise<void> {
  const names = await readdir(directory);
  const paths = names
    .filter((name) => name.endsWith(what === "entries" ? ".v1.json" : ".pem"))
    .map((name) => join(directory, name));
  for (const [i, path] of paths.entries()) {
    if (what === "open_key") await chmod(path, 0o644);
    else if (i % 2 === 0) await truncate(path, 100);
    else await writeFile(path, "{}");
  }
}
