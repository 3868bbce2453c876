/**
 * oidc-provider with certificate-bound tokens and refresh tokens, in a Node process of its own.
 *
 * @module
 */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { nodeCommand } from "../../../rfc8705/support/authorization_server.ts";
import type { ServerPem } from "../../../support/tls_identities.ts";

/** The client that is registered. */
export const CLIENT_ID = "orders";

/** The resource that gets JWT access tokens. */
export const API = "https://api.example.com";

/** What the process is to serve. */
export interface ProviderSpec {
  /** For its TLS servers. */
  readonly server: ServerPem;
  /** PEM of the authority of client certificates. */
  readonly clientCa: string;
  /** Subject of the client's certificate, one RDN a line. */
  readonly subject: string;
}

/** A provider that runs. */
export interface RunningProvider {
  /** The issuer; its host takes client certificates but doesn't insist. */
  readonly issuer: string;
  /** Ends it and says how many requests came without a certificate, by method and path. */
  close(): Promise<Readonly<Record<string, number>>>;
}

/** Starts it on 127.0.0.1. */
export async function startProvider(spec: ProviderSpec): Promise<RunningProvider> {
  const main = fileURLToPath(new URL("./provider_main.ts", import.meta.url));
  const [node, ...loader] = nodeCommand();
  const child = spawn(node, [...loader, main], { stdio: ["pipe", "pipe", "inherit"] });
  const exited = once(child, "exit");
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async () => {
    const { value } = await lines.next();
    if (value === undefined) throw new Error("The provider's process has ended.");
    return JSON.parse(value);
  };
  child.stdin.write(`${JSON.stringify(spec)}\n`);
  const { issuer } = await next();
  return {
    issuer,
    async close() {
      child.stdin.end("end\n");
      const bare = await next();
      await exited;
      return bare;
    },
  };
}
