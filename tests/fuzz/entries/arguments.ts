/**
 * Arguments of the command line, one a line.
 *
 * @module
 */

import assert from "node:assert/strict";
import {
  absolutePath,
  durationOf,
  oneOf,
  portNumber,
  readArguments,
} from "../../../cli/arguments.ts";
import { UsageError } from "../../../cli/command.ts";
import { textOf } from "../support/entry.ts";

const OPTIONS = {
  resource: { type: "string" },
  port: { type: "string" },
  wait: { type: "string" },
  binding: { type: "string" },
  out: { type: "string" },
  header: { type: "string", multiple: true },
  json: { type: "boolean" },
} as const;

/** Arguments are understood or a mistake that is named; what is understood is within its bounds. */
export function fuzz(data: Uint8Array): void {
  const args = textOf(data).split("\n").slice(0, 64);
  const read = understood(() => readArguments(args, OPTIONS));
  if (read === undefined) return;
  const { values, positionals } = read;
  assert.ok(positionals.every((text) => args.includes(text)));
  const port = understood(() => portNumber(values.port ?? "0", "--port"));
  assert.ok(port === undefined || (Number.isInteger(port) && port >= 0 && port <= 65_535));
  const wait = understood(() => durationOf(values.wait ?? "0", "--wait"));
  assert.ok(wait === undefined || Number.isSafeInteger(wait) || Math.abs(wait) < 1e21, `${wait}`);
  const binding = understood(() =>
    oneOf(values.binding ?? "", ["bearer", "mtls_pop"], "--binding")
  );
  assert.ok(binding === undefined || ["bearer", "mtls_pop"].includes(binding));
  const path = understood(() => absolutePath(values.out ?? "", "--out"));
  assert.ok(path === undefined || !path.includes("\0"));
}

/** Options. */
export const tokens: readonly string[] = [
  "--resource=",
  "--port\n",
  "--wait=90s",
  "--json",
  "--no-json",
  "--header",
  "--out\n/",
  "--\n",
  "-r",
  "__proto__",
  "--__proto__=",
  "\n",
];

function understood<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof UsageError) return undefined;
    throw error;
  }
}
