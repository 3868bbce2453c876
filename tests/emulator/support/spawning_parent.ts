/**
 * A process that starts an emulator as its child and says where, then waits to be killed.
 *
 * @module
 */

import process from "node:process";
import { spawnEmulator } from "../../../emulator/mod.ts";

const emulator = await spawnEmulator();
process.stdout.write(`${emulator.metadata}\n`);
setInterval(() => {}, 1000);
