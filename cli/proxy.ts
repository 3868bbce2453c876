/**
 * `keybound proxy`: gives programs that can do none of this a way to one protected server.
 *
 * @module
 */

import { randomBytes } from "node:crypto";
import { open, rename, rm } from "node:fs/promises";
import process from "node:process";
import { managedIdentity } from "../src/managed_identity.ts";
import { normalizeResource } from "../src/token/request.ts";
import { absolutePath, portNumber, readOptions, understood, type Values } from "./arguments.ts";
import { type Command, type Surroundings, UsageError } from "./command.ts";
import { statusColour } from "./emulator/request_log.ts";
import {
  HOST_HELP,
  HOST_OPTIONS,
  IDENTITY_HELP,
  IDENTITY_OPTIONS,
  identityOf,
  openHost,
} from "./host.ts";
import { digestOf, SECRET_HEADER } from "./proxy/admission.ts";
import { upstreamOf } from "./proxy/forwarding.ts";
import { listenOnPort, listenOnSocket } from "./proxy/listen.ts";
import { createProxy, type Handled } from "./proxy/server.ts";
import { painter, plainText } from "./style.ts";

const HELP = `keybound proxy --resource <uri> --upstream <https url> [options]

A proxy on loopback for programs that can't do mutual TLS with bound tokens: it takes plain HTTP,
adds token and certificate, and sends requests to the one upstream, nowhere else. It runs until
Ctrl-C.

  --resource <uri>     what tokens are for
  --upstream <url>     the server: https, perhaps with a path that all requests stay below
  --port <port>        on 127.0.0.1; default: one that is free
  --secret-file <path> writes the secret that a client has to send there, as a header line for
                       'curl -H @path', mode 0600; it is new at each start and goes with the proxy
  --reveal             shows the secret
  --socket <path>      a Unix socket of mode 0600 instead of port and secret
${IDENTITY_HELP}
${HOST_HELP}
  --quiet              no log of requests
  --json               one JSON object when it is ready

A client sends the secret in the header '${SECRET_HEADER}', or as the password of basic
authentication with any user name, as a browser does when it asks.

Examples

  keybound proxy --resource https://vault.azure.net --upstream https://my-vault.vault.azure.net \\
    --port 8082 --secret-file ./proxy-secret
  curl -H @./proxy-secret 'http://127.0.0.1:8082/secrets/s?api-version=7.4'

  keybound proxy --resource https://vault.azure.net --upstream https://my-vault.vault.azure.net \\
    --socket ./vault.sock
  curl --unix-socket ./vault.sock 'http://localhost/secrets/s?api-version=7.4'
`;

const OPTIONS = {
  ...IDENTITY_OPTIONS,
  ...HOST_OPTIONS,
  resource: { type: "string" },
  upstream: { type: "string" },
  port: { type: "string" },
  socket: { type: "string" },
  "secret-file": { type: "string" },
  reveal: { type: "boolean" },
  quiet: { type: "boolean" },
  json: { type: "boolean" },
} as const;

/** What the options ask for. */
interface Wanted {
  readonly resource: string;
  readonly upstream: URL;
  readonly port: number;
  readonly socket: string | undefined;
  readonly secretFile: string | undefined;
}

/** The command. */
export const proxy: Command = {
  summary: "let other programs use a protected server, over loopback",
  help: HELP,
  async run(args, surroundings) {
    const values = readOptions(args, OPTIONS);
    const wanted = wantedOf(values);
    const id = identityOf(values);
    const host = await openHost(values, surroundings.environment);
    const identity = managedIdentity({ ...host, ...id });
    try {
      await serve(wanted, identity, values, surroundings);
    } finally {
      await identity.close();
      await host.close();
    }
  },
};

function wantedOf(values: Values<typeof OPTIONS>): Wanted {
  const { resource, reveal = false } = values;
  if (resource === undefined) throw new UsageError("Say what tokens are for: '--resource <uri>'.");
  understood(() => normalizeResource(resource));
  const upstream = upstreamOf(values.upstream ?? "");
  if (upstream === undefined) {
    throw new UsageError("'--upstream' is an https URL without user, query and fragment.");
  }
  const path = values["secret-file"];
  const secretFile = path === undefined ? undefined : absolutePath(path, "--secret-file");
  if (values.socket === undefined) {
    if (secretFile === undefined && !reveal) {
      throw new UsageError(
        "Say how clients get the secret: '--secret-file <path>' or '--reveal', or use '--socket'.",
      );
    }
    const port = portNumber(values.port ?? "0", "--port");
    return { resource, upstream, port, socket: undefined, secretFile };
  }
  if (values.port !== undefined || secretFile !== undefined || reveal) {
    throw new UsageError("'--socket' goes without '--port', '--secret-file' and '--reveal'.");
  }
  if (process.platform === "win32") throw new UsageError("'--socket' isn't for Windows.");
  return {
    resource,
    upstream,
    port: 0,
    socket: absolutePath(values.socket, "--socket"),
    secretFile,
  };
}

async function serve(
  { resource, upstream, port, socket, secretFile }: Wanted,
  identity: ReturnType<typeof managedIdentity>,
  { json = false, quiet = false, reveal = false }: Values<typeof OPTIONS>,
  { print, note, signal, colours }: Surroundings,
): Promise<void> {
  const paint = painter(colours);
  const secret = socket === undefined ? randomBytes(32).toString("base64url") : undefined;
  const secretDigest = secret === undefined ? undefined : digestOf(secret);
  let hosts: readonly string[] | undefined = [];
  const onHandled = ({ method, path, status, error, duration }: Handled) => {
    if (quiet) return;
    const clock = paint("dim", new Date().toISOString().slice(11, 23));
    const answer = paint(statusColour(status), String(status));
    const why = error === undefined ? "" : ` ${paint("yellow", error)}`;
    note(`${clock}  ${answer}  ${plainText(`${method} ${path}`)}  ${duration} ms${why}`);
  };
  const rules = () => ({ secretDigest, hosts });
  const server = createProxy({ identity, resource, upstream, rules, signal, onHandled });
  const cleanUp: (() => Promise<unknown>)[] = [];
  try {
    let address: Record<string, string>;
    if (socket === undefined) {
      const chosen = await listenOnPort(server, port);
      hosts = ["127.0.0.1", "localhost"].map((name) => chosen === 80 ? name : `${name}:${chosen}`);
      address = { url: `http://127.0.0.1:${chosen}` };
    } else {
      hosts = undefined;
      cleanUp.push(await listenOnSocket(server, socket));
      address = { socket };
    }
    if (secret !== undefined && secretFile !== undefined) {
      await writeSecret(secretFile, secret);
      cleanUp.push(() => rm(secretFile, { force: true }));
      address = { ...address, secretFile };
    }
    if (secret !== undefined && reveal) address = { ...address, secret };
    if (json) print(JSON.stringify({ ready: true, ...address, upstream: upstream.href }));
    else {
      print(`The proxy to ${upstream.href} is ready; Ctrl-C ends it.`);
      for (const [name, value] of Object.entries(address)) {
        print(`  ${paint("dim", name.padEnd(12))}${value}`);
      }
    }
    await aborted(signal);
  } finally {
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeAllConnections();
    await Promise.all([closed, ...cleanUp.map((act) => act())]);
  }
}

/** As a header line, which `curl -H @file` takes without showing it to other users. */
async function writeSecret(path: string, secret: string): Promise<void> {
  const staging = `${path}.${randomBytes(8).toString("hex")}`;
  const file = await open(staging, "wx", 0o600);
  try {
    await file.writeFile(`${SECRET_HEADER}: ${secret}\n`);
  } finally {
    await file.close();
  }
  await rename(staging, path);
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) =>
    signal.addEventListener("abort", () => resolve(), { once: true })
  );
}
