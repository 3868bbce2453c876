/**
 * workerd with one Worker, on a free port of loopback.
 *
 * @module
 */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import { bundled } from "./bundle.ts";

/** A server that the Worker may call by a binding, over mutual TLS with the platform's key. */
export interface MtlsService {
  /** `127.0.0.1:port`. */
  readonly address: string;
  /** Headers that the platform adds. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** What the Worker is given. */
export interface WorkerdSpec {
  /** Path of its module, from the root of the project. */
  readonly module: string;
  /** PEM of certificate and key that the platform presents. */
  readonly keypair: { readonly certificate: string; readonly privateKey: string };
  /** PEM of the authority that the platform trusts, and no other. */
  readonly ca: string;
  /** By the name of the binding. */
  readonly services: Readonly<Record<string, MtlsService>>;
  /** Texts and JSON values, by the name of the binding. */
  readonly values: Readonly<Record<string, unknown>>;
}

/** A Worker that runs. */
export interface RunningWorker {
  /** Where it is. */
  readonly origin: string;
  /** The bundle. */
  readonly bundle: string;
  /** Ends it. */
  close(): Promise<void>;
}

/** Bundles the module for an edge runtime, where no built-in of Node is found, and serves it. */
export async function startWorkerd(spec: WorkerdSpec): Promise<RunningWorker> {
  const directory = await mkdtemp(join(tmpdir(), "keybound-edge-"));
  const bundle = await bundled(spec.module);
  await writeFile(join(directory, "worker.js"), bundle);
  await writeFile(join(directory, "workerd.capnp"), configuration(spec), { mode: 0o600 });
  const child = spawn(program(), ["serve", "workerd.capnp", "--control-fd=1"], {
    cwd: directory,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const exited = once(child, "exit");
  const port = await new Promise<number>((resolve, reject) => {
    exited.then(() => reject(new Error("workerd has ended.")), reject);
    createInterface({ input: child.stdout! }).on("line", (line) => {
      const message = JSON.parse(line);
      if (message.event === "listen") resolve(message.port);
    });
  });
  return {
    origin: `http://127.0.0.1:${port}`,
    bundle,
    async close() {
      child.kill();
      await exited;
      await rm(directory, { recursive: true });
    },
  };
}

/** The program itself: the package's own is a script that starts it. */
function program(): string {
  const require = createRequire(import.meta.url);
  const architecture = process.arch === "arm64" ? "arm64" : "64";
  const system = process.platform === "win32" ? "windows" : process.platform;
  return require.resolve(`@cloudflare/workerd-${system}-${architecture}/bin/workerd`);
}

/** Cap'n Proto has the strings of C. */
function text(value: string): string {
  return JSON.stringify(value);
}

function configuration({ keypair, ca, services, values }: WorkerdSpec): string {
  const tls = `tlsOptions = (trustBrowserCas = false, trustedCertificates = [${text(ca)}],
      keypair = (privateKey = ${text(keypair.privateKey)}, certificateChain = ${
    text(keypair.certificate)
  }))`;
  const external = Object.entries(services).map(([name, { address, headers = {} }]) => {
    const added = Object.entries(headers).map(([header, value]) =>
      `(name = ${text(header)}, value = ${text(value)})`
    );
    return `(name = ${text(name)}, external = (address = ${text(address)}, https = (
      options = (injectRequestHeaders = [${added.join()}]), certificateHost = "localhost", ${tls})))`;
  });
  const bindings = [
    ...Object.keys(services).map((name) => `(name = ${text(name)}, service = ${text(name)})`),
    ...Object.entries(values).map(([name, value]) =>
      typeof value === "string"
        ? `(name = ${text(name)}, text = ${text(value)})`
        : `(name = ${text(name)}, json = ${text(JSON.stringify(value))})`
    ),
  ];
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = (
      modules = [(name = "worker.js", esModule = embed "worker.js")],
      compatibilityDate = "2025-01-01",
      bindings = [${bindings.join()}])),
    ${external.join(",\n    ")}
  ],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")]
);
`;
}
