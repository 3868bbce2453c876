/**
 * A process that takes a lock: `count <directory> <file> <times>` adds to the number in a file, one
 * at a time; `hold <directory>` says `held` and keeps the lock until it is killed.
 *
 * @module
 */

import { readFile, writeFile } from "node:fs/promises";
import process from "node:process";
import { fileStore } from "../../../backends/files/mod.ts";

const [command, directory, file, times] = process.argv.slice(2) as string[];
const store = fileStore({ directory: directory! });

if (command === "count") {
  for (let i = 0; i < Number(times); i++) {
    await store.lock("counter", async () => {
      const count = Number(await readFile(file!, "utf8"));
      await writeFile(file!, String(count + 1));
    });
  }
} else {
  await store.lock("held", () => {
    process.stdout.write("held\n");
    return new Promise(() => setInterval(() => {}, 1_000));
  });
}
