/**
 * An emulator with a proxy before its resource server, and a client that speaks plain HTTP.
 *
 * @module
 */

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { type IncomingHttpHeaders, request, type RequestOptions } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Emulator, type EmulatorOptions, spawnEmulator } from "../../../emulator/mod.ts";
import { type Running, startKeybound } from "./program.ts";

/** An emulator and a directory for files. */
export interface Stage {
  readonly emulator: Emulator;
  readonly directory: string;
  /** Starts a proxy to the resource server, with these arguments besides. */
  proxy(...args: string[]): Promise<RunningProxy>;
  close(): Promise<void>;
}

/** A proxy that listens. */
export interface RunningProxy {
  readonly running: Running;
  /** What it said when it was ready. */
  readonly ready: { readonly url: string; readonly socket?: string; readonly secret: string };
}

/** A new emulator. */
export async function stage(options: EmulatorOptions = {}): Promise<Stage> {
  const emulator = await spawnEmulator(options);
  const directory = await mkdtemp(join(tmpdir(), "keybound-cli-proxy-"));
  await writeFile(join(directory, "ca.pem"), emulator.ca);
  return {
    emulator,
    directory,
    async proxy(...args) {
      const running = startKeybound([
        ...["proxy", "--resource", "https://vault.azure.net", "--json"],
        ...(args.includes("--upstream") ? [] : ["--upstream", emulator.resource]),
        ...(args.includes("--socket") || args.includes("--secret-file") ? [] : ["--reveal"]),
        ...args,
      ], {
        environment: {
          AZURE_POD_IDENTITY_AUTHORITY_HOST: emulator.metadata,
          KEYBOUND_CA: join(directory, "ca.pem"),
        },
      });
      return { running, ready: JSON.parse(await running.line(/^\{"ready":true/)) };
    },
    async close() {
      await emulator.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** An answer. */
export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** Sends a request. */
export function send(
  url: string | undefined,
  { body, ...options }: RequestOptions & { readonly body?: string | Uint8Array } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const all = { agent: false as const, ...options };
    const outgoing = url === undefined ? request(all) : request(url, all);
    outgoing.once("error", reject).once("response", (answer) => {
      let text = "";
      answer.setEncoding("utf8").on("data", (part: string) => text += part);
      answer.once("error", reject);
      answer.once("aborted", () => reject(new Error("The answer was cut short.")));
      answer.once(
        "end",
        () => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: text }),
      );
    });
    outgoing.end(body);
  });
}
