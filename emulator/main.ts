/**
 * Runs an emulator as a program: one line of JSON on standard output says where it listens.
 *
 * `--options <json>`: `EmulatorOptions`. `--until-stdin-ends`: ends with its standard input, so
 * that it never outlives the process that started it. SIGINT and SIGTERM end it as well.
 *
 * @module
 */

import process from "node:process";
import { parseArgs } from "node:util";
import { isKeyboundError, KeyboundError } from "../src/errors.ts";
import { serveEmulator } from "./server.ts";
import type { EmulatorAddresses, EmulatorOptions } from "./types.ts";

/** Milliseconds for the connections to end. */
const GRACE = 1_000;

try {
  const { values } = parseArgs({
    options: { options: { type: "string" }, "until-stdin-ends": { type: "boolean" } },
  });
  const emulator = await serveEmulator(readOptions(values.options ?? "{}"));
  const stop = () => {
    setTimeout(() => process.exit(0), GRACE).unref();
    emulator.close().finally(() => process.exit(0));
  };
  process.once("SIGINT", stop).once("SIGTERM", stop);
  if (values["until-stdin-ends"] === true) {
    process.stdin.on("error", stop).on("close", stop).on("end", stop).resume();
  }
  const { admin, metadata, mtls, resource, attestation, sources, ca } = emulator;
  const { serviceFabricCertificate } = emulator;
  const addresses: EmulatorAddresses = {
    metadata,
    mtls,
    resource,
    attestation,
    sources,
    serviceFabricCertificate,
    ca,
  };
  process.stdout.write(`${JSON.stringify({ addresses, admin })}\n`);
} catch (error) {
  // The last line is for the process that started this one.
  const [code, message] = isKeyboundError(error)
    ? [error.code, error.message]
    : ["server_error", String(error)];
  process.stderr.write(`keybound-emulator: ${code}: ${message.replaceAll("\n", " ")}\n`);
  process.exitCode = 1;
}

/** The options; `serveEmulator` checks them. */
function readOptions(text: string): EmulatorOptions {
  try {
    return JSON.parse(text) as EmulatorOptions;
  } catch (cause) {
    throw new KeyboundError("invalid_argument", "--options is not JSON.", { cause });
  }
}
