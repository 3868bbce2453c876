#!/usr/bin/env node
/**
 * The program `keybound`.
 *
 * @module
 */

import process from "node:process";
import { setTimeout } from "node:timers";
import { ownEnvironment } from "./environment.ts";
import { during } from "./progress.ts";
import { run } from "./run.ts";
import { showsColours } from "./style.ts";
import { askSecret } from "./terminal.ts";

const { stdout, stderr } = process;
const environment = ownEnvironment();
const ending = new AbortController();

/** Milliseconds for what is under way to end by itself. */
const GRACE = 3000;

// Once: who insists gets the runtime's own way to end.
const end = () => {
  ending.abort();
  setTimeout(() => process.exit(1), GRACE).unref();
};
process.once("SIGINT", end).once("SIGTERM", end);
// Whoever read has seen enough, as `head` does.
stdout.on("error", () => process.exit(0));

let questions = 0;

process.exitCode = await run(process.argv.slice(2), {
  environment,
  colours: showsColours(environment, stdout.isTTY),
  signal: ending.signal,
  print: (line) => void stdout.write(`${line}\n`),
  note: (line) => void stderr.write(`${line}\n`),
  during: (what, work) => during(stderr, what, work, () => questions > 0),
  async askSecret(question) {
    questions += 1;
    return await askSecret(question).finally(() => questions -= 1);
  },
});
