/**
 * `openssl s_server`, an independent TLS server that verifies client certificates.
 *
 * @module
 */

import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TlsVersion } from "../../src/transports.ts";
import type { ServerPem } from "./tls_identities.ts";

/** Whether there is an `openssl` to run. */
export const hasOpensslServer: boolean = spawnSync("openssl", ["version"]).status === 0;

/** A server that runs. */
export interface OpensslServer {
  /** Its URL. */
  readonly url: string;
  /** Resolves when it has printed this. */
  printed(text: string): Promise<void>;
  /** Types this on its terminal: `R` and a line end to renegotiate. */
  type(text: string): void;
  /** Ends it. */
  close(): Promise<void>;
}

/** Options of {@linkcode startOpensslServer}. */
export interface OpensslServerOptions {
  /** Whether it answers as a web server does; otherwise what is typed is sent. @default true */
  readonly answers?: boolean;
  /** More arguments. @default none */
  readonly args?: readonly string[];
}

/** Starts one that insists on a client certificate of `clientCa` (PEM) and speaks this version. */
export async function startOpensslServer(
  identity: ServerPem,
  clientCa: string,
  version: TlsVersion,
  { answers = true, args = [] }: OpensslServerOptions = {},
): Promise<OpensslServer> {
  const directory = mkdtempSync(join(tmpdir(), "keybound-openssl-"));
  const file = (name: string, content: string) => {
    const path = join(directory, name);
    writeFileSync(path, content, { mode: 0o600 });
    return path;
  };
  const child = spawn("openssl", [
    "s_server",
    ...["-accept", "127.0.0.1:0"],
    ...["-cert", file("cert.pem", identity.cert), "-key", file("key.pem", identity.key)],
    ...["-CAfile", file("ca.pem", clientCa), "-Verify", "1", "-verify_return_error"],
    version === "TLSv1.2" ? "-tls1_2" : "-tls1_3",
    ...(answers ? ["-www"] : []),
    ...args,
  ], { stdio: ["pipe", "pipe", "ignore"] });
  const exited = new Promise<void>((resolve) => child.on("exit", () => resolve()));
  let output = "";
  const port = await new Promise<string>((resolve, reject) => {
    child.stdout.on("data", (chunk) => {
      output += chunk;
      const accepting = /ACCEPT .*:(\d+)/.exec(output)?.[1];
      if (accepting !== undefined) resolve(accepting);
    });
    exited.then(() => reject(new Error("openssl s_server has ended.")));
  });
  return {
    url: `https://localhost:${port}/`,
    async printed(text) {
      while (!output.includes(text)) await once(child.stdout, "data");
    },
    type: (text) => void child.stdin.write(text),
    async close() {
      child.kill();
      await exited;
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
