/**
 * Where the proxy listens: a port of loopback, or a socket file that only this user can open.
 *
 * @module
 */

import { chmod, lstat, mkdtemp, rename, rm } from "node:fs/promises";
import type { Server } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { dirname, join } from "node:path";
import { KeyboundError } from "../../src/errors.ts";

/** Listens on 127.0.0.1 and resolves with the port. Rejects with `invalid_argument` for one taken. */
export async function listenOnPort(server: Server, port: number): Promise<number> {
  await listening(server, () => server.listen(port, "127.0.0.1"), `Port ${port}`);
  return (server.address() as AddressInfo).port;
}

/**
 * Listens on a socket file of mode 0600, in place of one that nobody listens on any more; resolves with
 * a function that removes it.
 *
 * It is made in a directory of mode 0700 and then moved, so that at no time anybody else could open it.
 */
export async function listenOnSocket(server: Server, path: string): Promise<() => Promise<void>> {
  await assertFree(path);
  const nursery = await mkdtemp(join(dirname(path), ".kb-")).catch((cause) => {
    throw new KeyboundError("invalid_argument", "The socket's directory can't be written.", {
      cause,
    });
  });
  try {
    const made = join(nursery, "s");
    await listening(server, () => server.listen(made), "The socket");
    await chmod(made, 0o600);
    await rename(made, path);
  } finally {
    await rm(nursery, { recursive: true, force: true });
  }
  return () => rm(path, { force: true });
}

async function assertFree(path: string): Promise<void> {
  const status = await lstat(path).catch(() => undefined);
  if (status === undefined) return;
  if (status.isSocket() && !await isListening(path)) return;
  throw new KeyboundError("invalid_argument", "There is something at the socket's path already.");
}

function isListening(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
}

function listening(server: Server, listen: () => void, what: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (cause: NodeJS.ErrnoException) => {
      const why = cause.code === "EADDRINUSE" ? "is taken" : `can't be had (${cause.code})`;
      reject(new KeyboundError("invalid_argument", `${what} ${why}. Choose another.`, { cause }));
    };
    server.once("error", fail);
    server.once("listening", () => {
      server.off("error", fail);
      resolve();
    });
    listen();
  });
}
