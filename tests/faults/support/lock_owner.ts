/**
 * A process that takes a lock of a directory's store, says `held` and keeps it until it is killed:
 * `<directory> <alias>`.
 *
 * @module
 */

import process from "node:process";
import { fileStore } from "../../../backends/files/mod.ts";

const [directory, alias] = process.argv.slice(2) as [string, string];
await fileStore({ directory }).lock(alias, () => {
  process.stdout.write("held\n");
  return new Promise(() => setInterval(() => {}, 1_000));
});
