/**
 * An emulator in a Node process of its own, for runtimes whose TLS server can't do the job and for
 * isolation.
 *
 * @module
 */

import { type ChildProcessWithoutNullStreams, execFile, spawn } from "node:child_process";
import { dirname } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import * as v from "valibot";
import { KeyboundError } from "../src/errors.ts";
import { caller } from "./connect.ts";
import { type Call, emulatorOf } from "./facade.ts";
import { addressesSchema, adminSchema } from "./result_schemas.ts";
import { check } from "./schemas.ts";
import type { Emulator, EmulatorOptions } from "./types.ts";

/** Longest first line of the child, and most of its complaints that are kept, in characters. */
const OUTPUT_LIMIT = 65_536;
/** Milliseconds that the child has to end by itself. */
const GRACE = 3_000;

/** Options of {@linkcode spawnEmulator}. */
export interface SpawnOptions extends EmulatorOptions {
  /**
   * Path of the Node executable (20 or later).
   * @default environment variable KEYBOUND_NODE, this process where it is Node, `node` on the PATH
   */
  readonly node?: string;
  /** Milliseconds that the child has to start. @default 30000 */
  readonly startTimeout?: number;
}

const readySchema = v.strictObject({ addresses: addressesSchema, admin: adminSchema });

/**
 * Starts an emulator as a child process. It ends with `close`, and when this process ends, however
 * that happens.
 *
 * Rejects with `missing_dependency` where there is no Node or a package is missing,
 * `invalid_argument` for options that aren't understood, `request_timeout` for a child that doesn't
 * get ready.
 */
export async function spawnEmulator(options: SpawnOptions = {}): Promise<Emulator> {
  const { node, startTimeout = 30_000, ...rest } = options;
  const program = await findNode(node);
  const script = ownScript();
  const child = spawn(
    program.path,
    [...loader(program, script), script, "--until-stdin-ends", "--options", JSON.stringify(rest)],
    // From here `--import tsx` finds the package.
    { cwd: dirname(script), stdio: "pipe", windowsHide: true },
  );
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  child.stdin.on("error", () => {}); // a child that died is noticed by its end
  try {
    const { addresses, admin } = await ready(child, startTimeout);
    let closed = false;
    const overHttp = caller(admin);
    const call: Call = async (method, args) => {
      if (closed) throw new KeyboundError("closed", "The emulator has been closed.");
      return await overHttp(method, args);
    };
    const close = async () => {
      closed = true;
      await end(child, ended);
    };
    return emulatorOf({ addresses, admin, call, close });
  } catch (error) {
    await end(child, ended);
    throw error;
  }
}

interface NodeProgram {
  readonly path: string;
  /** Major and minor version. */
  readonly version: readonly [number, number];
}

async function findNode(given: string | undefined): Promise<NodeProgram> {
  const path = given ?? process.env["KEYBOUND_NODE"];
  const isNode = process.versions["bun"] === undefined && process.versions["deno"] === undefined;
  if (path === undefined && isNode) {
    return { path: process.execPath, version: parseVersion(process.version) };
  }
  const program = path ?? "node";
  const answer = await promisify(execFile)(program, ["--version"]).catch((cause: unknown) => ({
    stdout: "",
    cause,
  }));
  const version = parseVersion(answer.stdout);
  if (version[0] >= 20) return { path: program, version };
  throw new KeyboundError(
    "missing_dependency",
    `The emulator runs on Node 20 or later, and '${program}' is none: install Node, or name it in KEYBOUND_NODE.`,
    "cause" in answer ? { cause: answer.cause } : {},
  );
}

function parseVersion(text: string): [number, number] {
  const [, major = "0", minor = "0"] = /^v?(\d+)\.(\d+)/.exec(text) ?? [];
  return [Number(major), Number(minor)];
}

/** The emulator's entry beside this file, in the form this file is in: source or built. */
function ownScript(): string {
  if (!import.meta.url.startsWith("file:")) {
    throw new KeyboundError(
      "missing_dependency",
      "The emulator's files are not on this disk: install keybound from npm to run it.",
    );
  }
  const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
  return fileURLToPath(new URL(`./main.${extension}`, import.meta.url));
}

/** What a Node before 22.18 needs to run TypeScript. */
function loader({ version: [major, minor] }: NodeProgram, script: string): string[] {
  const strips = major > 23 || (major === 23 && minor >= 6) || (major === 22 && minor >= 18);
  return strips || !script.endsWith(".ts") ? [] : ["--import", "tsx"];
}

/** What the child says when it listens. */
function ready(
  child: ChildProcessWithoutNullStreams,
  timeout: number,
): Promise<v.InferOutput<typeof readySchema>> {
  return new Promise((resolve, reject) => {
    let output = "";
    let complaint = "";
    const timer = setTimeout(() => {
      reject(
        new KeyboundError("request_timeout", `The emulator wasn't ready within ${timeout} ms.`),
      );
    }, timeout);
    const fail = (cause: unknown) => {
      clearTimeout(timer);
      const [code, message] = explain(complaint);
      reject(new KeyboundError(code, message, { cause }));
    };
    child.once("error", fail);
    child.once("close", (code) => fail(new Error(`Exit code ${code}.`)));
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      complaint = (complaint + text).slice(-OUTPUT_LIMIT);
    });
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      if (output.length > OUTPUT_LIMIT || output.includes("\n")) return;
      output += text;
      if (!output.includes("\n")) return;
      clearTimeout(timer);
      try {
        resolve(check(readySchema, JSON.parse(output.split("\n", 1)[0]!), "ready"));
      } catch (error) {
        reject(error);
      }
    });
  });
}

/** The child's own error where it gave one as its last line, else its last words. */
function explain(complaint: string): ["missing_dependency" | "invalid_argument", string] {
  const lines = complaint.trim().split("\n");
  const own = /^keybound-emulator: (missing_dependency|invalid_argument): (.*)$/.exec(
    lines.at(-1) ?? "",
  );
  if (own !== null) return [own[1] as "missing_dependency" | "invalid_argument", own[2]!];
  return ["missing_dependency", `The emulator didn't start: ${lines.slice(-5).join(" ")}`];
}

/** Ends the child: by closing its standard input, and by force where that doesn't do. */
async function end(child: ChildProcessWithoutNullStreams, ended: Promise<void>): Promise<void> {
  child.stdin.end();
  const timer = setTimeout(() => child.kill("SIGKILL"), GRACE);
  await ended;
  clearTimeout(timer);
}
