/**
 * What another process does for a check: it makes a key, or finds one and signs with it, or holds a
 * lock until it is killed. The task is its argument, results are lines of JSON.
 *
 * @module
 */

import process from "node:process";
import { windowsStore } from "../../../backends/windows/mod.ts";
import { windowsSystem } from "../../../backends/windows/system.ts";
import { base64, fromBase64 } from "../../../src/encoding.ts";
import { keysOf } from "./host.ts";

const task = JSON.parse(process.argv.at(-1)!);
const say = (value: unknown) => console.log(JSON.stringify(value));

switch (task.do) {
  case "create": {
    const keys = keysOf(await windowsSystem(), task.strength);
    say({ spki: base64((await keys.create(task.id, "RSA-2048", () => {})).spki) });
    break;
  }
  case "sign": {
    const key = await keysOf(await windowsSystem(), task.strength).find(task.id);
    if (key === undefined) throw new Error("The key isn't there for another process.");
    const [scheme] = key.schemes;
    const signature = await key.sign(scheme!, fromBase64(task.data));
    say({ spki: base64(key.spki), scheme, signature: base64(signature) });
    break;
  }
  case "list": {
    const entries = await windowsStore().list(task.alias);
    say(entries.map(({ certificate }) => base64(certificate)));
    break;
  }
  case "hold":
    await windowsStore().lock(task.alias, async () => {
      say("held");
      await new Promise((resolve) => process.stdin.once("close", resolve).resume());
    });
    break;
  default:
    throw new Error(`There is no task '${task.do}'.`);
}
