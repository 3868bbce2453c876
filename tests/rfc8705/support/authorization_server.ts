/**
 * oidc-provider, an authorization server independent of this project, and a resource server that
 * trusts it; both in a Node process of their own.
 *
 * @module
 */

import { spawn, spawnSync } from "node:child_process";
import process from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { ServerPem } from "../../support/tls_identities.ts";

/** The resource that gets JWT access tokens. */
export const API = "https://api.example.com";

/** The resource that gets opaque ones. */
export const OPAQUE_API = "https://opaque.example.com";

/** A client as it is registered. */
export interface RegisteredClient {
  readonly client_id: string;
  readonly token_endpoint_auth_method: "tls_client_auth" | "self_signed_tls_client_auth";
  readonly tls_client_auth_subject_dn?: string;
  readonly jwks?: { readonly keys: readonly JsonWebKey[] };
}

/** What the process is to serve. */
export interface ServerSpec {
  /** For all its TLS servers. */
  readonly server: ServerPem;
  /** PEM of the authority whose client certificates `tls_client_auth` takes. */
  readonly clientCa: string;
  readonly clients: readonly RegisteredClient[];
  /** Life of access tokens, seconds. @default 600 */
  readonly tokenLife?: number;
}

/** Where it is, all on loopback. */
export interface ServerAddresses {
  /** The issuer; its host asks nobody for a certificate. */
  readonly issuer: string;
  /** The token endpoint for those with a certificate, on another port. */
  readonly tokenAlias: string;
  /** A resource server that does TLS itself; any path answers `{sub, thumbprint}`. */
  readonly resource: string;
  /** The provider's public keys. */
  readonly jwks: { readonly keys: readonly JsonWebKey[] };
}

/** Servers that run. */
export interface AuthorizationServer extends ServerAddresses {
  /** Requests so far, by method and path. */
  counts(): Promise<Readonly<Record<string, number>>>;
  /** Ends them. */
  close(): Promise<void>;
}

/** Starts both on 127.0.0.1. */
export async function startAuthorizationServer(spec: ServerSpec): Promise<AuthorizationServer> {
  const main = fileURLToPath(new URL("./authorization_server_main.ts", import.meta.url));
  const [node, ...loader] = nodeCommand();
  const child = spawn(node, [...loader, main], { stdio: ["pipe", "pipe", "inherit"] });
  const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const lines = createInterface({ input: child.stdout });
  const waiting: ((line: string) => void)[] = [];
  lines.on("line", (line) => waiting.shift()?.(line));
  const ask = (line: unknown): Promise<unknown> =>
    new Promise((resolve, reject) => {
      waiting.push((text) => resolve(JSON.parse(text)));
      exited.then(() => reject(new Error("The server process has ended.")));
      child.once("error", reject);
      child.stdin.write(`${JSON.stringify(line)}\n`);
    });
  const addresses = await ask(spec) as ServerAddresses;
  return {
    ...addresses,
    counts: async () => await ask("counts") as Record<string, number>,
    async close() {
      child.stdin.end();
      await exited;
    },
  };
}

/** The command that runs TypeScript on Node: `KEYBOUND_NODE`, this process's own, or the PATH's. */
export function nodeCommand(): [string, ...string[]] {
  const isNode = process.versions.bun === undefined && process.versions.deno === undefined;
  const node = process.env.KEYBOUND_NODE ?? (isNode ? process.execPath : "node");
  const { stdout, error } = spawnSync(node, ["-p", "process.features.typescript"]);
  if (error !== undefined) {
    throw new Error(`There is no '${node}' to run servers on: set KEYBOUND_NODE.`, {
      cause: error,
    });
  }
  return stdout.toString().trim() === "strip" ? [node] : [node, "--import", "tsx"];
}
