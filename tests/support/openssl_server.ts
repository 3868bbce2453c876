/**
 * `openssl s_server`, an independent TLS server that verifies client certificates.
 *
 * @module
 */

import { spawn, spawnSync } from "node:child_process";
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
  /** Ends it. */
  close(): Promise<void>;
}

/** Starts one that insists on a client certificate of `clientCa` (PEM) and speaks this version. */
export async function startOpensslServer(
  identity: ServerPem,
  clientCa: string,
  version: TlsVersion,
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
    "-www",
  ], { stdio: ["pipe", "pipe", "ignore"] });
  const exited = new Promise<void>((resolve) => child.on("exit", () => resolve()));
  const port = await new Promise<string>((resolve, reject) => {
    let output = "";
    child.stdout.on("data", (chunk) => {
      output += chunk;
      const accepting = /ACCEPT .*:(\d+)/.exec(output)?.[1];
      if (accepting !== undefined) resolve(accepting);
    });
    exited.then(() => reject(new Error("openssl s_server has ended.")));
  });
  return {
    url: `https://localhost:${port}/`,
    async close() {
      child.kill();
      await exited;
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
