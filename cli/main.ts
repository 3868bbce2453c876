#!/usr/bin/env node
/**
 * The program `keybound`.
 *
 * @module
 */

import process from "node:process";
import { run } from "./run.ts";
import { askSecret } from "./terminal.ts";

process.exitCode = await run(process.argv.slice(2), {
  environment: process.env,
  print: (line) => void process.stdout.write(`${line}\n`),
  complain: (line) => void process.stderr.write(`${line}\n`),
  askSecret,
});
