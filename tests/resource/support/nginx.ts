/**
 * nginx as TLS terminator in front of a resource server.
 *
 * @module
 */

import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { type AddressInfo, connect, createServer } from "node:net";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ServerPem } from "../../support/tls_identities.ts";

/** Where Debian puts it; `undefined` where it isn't installed. */
export const NGINX: string | undefined = ["/usr/sbin/nginx", "/usr/local/sbin/nginx"].find(
  (path) => existsSync(path),
);

/** An nginx that runs. */
export interface Nginx {
  /** Its https origin. */
  readonly origin: string;
  /** Ends it and removes its files. */
  close(): Promise<void>;
}

/**
 * Starts nginx on a free port of 127.0.0.1. It takes any client certificate, since a handshake
 * proves the key whoever issued the certificate, and hands it to `upstream` in `X-Client-Cert`.
 */
export async function startNginx(server: ServerPem, upstream: string): Promise<Nginx> {
  if (NGINX === undefined) throw new Error("nginx isn't installed.");
  const prefix = await mkdtemp(join(tmpdir(), "keybound-nginx-"));
  const port = await freePort();
  await mkdir(join(prefix, "temp"));
  const write = (name: string, text: string) =>
    writeFile(join(prefix, name), text, { mode: 0o600 });
  await write("server.pem", server.cert);
  await write("server.key", server.key);
  await write("nginx.conf", configuration(prefix, port, upstream));
  const args = ["-p", prefix, "-c", join(prefix, "nginx.conf"), "-e", "stderr"];
  const child = spawn(NGINX, args, { stdio: ["ignore", "ignore", "inherit"] });
  const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  let isOver = false;
  exited.then(() => isOver = true);
  while (!await accepts(port)) {
    if (isOver) throw new Error("nginx didn't start.");
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return {
    origin: `https://localhost:${port}`,
    async close() {
      child.kill("SIGTERM");
      await exited;
      await rm(prefix, { recursive: true, force: true });
    },
  };
}

function configuration(prefix: string, port: number, upstream: string): string {
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    .map((name) => `  ${name}_temp_path ${prefix}/temp/${name};`).join("\n");
  return `daemon off;
master_process off;
pid ${prefix}/nginx.pid;
error_log stderr error;
events {}
http {
  access_log off;
${temporary}
  server {
    listen 127.0.0.1:${port} ssl;
    ssl_certificate ${prefix}/server.pem;
    ssl_certificate_key ${prefix}/server.key;
    ssl_verify_client optional_no_ca;
    location / {
      proxy_pass ${upstream};
      proxy_set_header X-Client-Cert $ssl_client_escaped_cert;
    }
  }
}
`;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

async function accepts(port: number): Promise<boolean> {
  const socket = connect(port, "127.0.0.1");
  return await new Promise((resolve) => {
    socket.once("connect", () => resolve(true));
    socket.once("error", () => resolve(false));
  }).finally(() => socket.destroy()) as boolean;
}
