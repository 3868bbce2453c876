/**
 * Ports of the caller's choice for listeners that choose their own: what comes in at the one goes to
 * the other and back, byte for byte, resets included.
 *
 * @module
 */

import { connect, createServer, type Server, type Socket } from "node:net";
import type { AdminAccess, EmulatorAddresses } from "../../emulator/types.ts";
import { KeyboundError } from "../../src/errors.ts";
import type { PortName } from "./settings.ts";

/** Where an emulator is, for its users. */
export interface Whereabouts {
  readonly addresses: EmulatorAddresses;
  readonly admin: AdminAccess;
}

/** An emulator that is to be found at fixed ports. */
export interface FixedPorts extends Whereabouts {
  /** Ends the connections and frees the ports. */
  close(): Promise<void>;
}

/**
 * Opens the ports. Rejects with `invalid_argument` for one that is taken or not allowed.
 *
 * The metadata service goes on naming the token endpoint by its own port, which works as well.
 */
export async function openFixedPorts(
  { addresses, admin }: Whereabouts,
  ports: Readonly<Partial<Record<PortName, number>>>,
): Promise<FixedPorts> {
  const own: Readonly<Record<PortName, string>> = {
    ...addresses,
    sources: new URL(addresses.sources.appservice.IDENTITY_ENDPOINT).origin,
    serviceFabric: new URL(addresses.sources.servicefabric.IDENTITY_ENDPOINT).origin,
    admin: admin.url,
  };
  const moved = new Map<string, string>();
  const fronts: Front[] = [];
  const close = async () => void await Promise.all(fronts.map((front) => front.close()));
  try {
    for (const [name, port] of Object.entries(ports) as [PortName, number][]) {
      if (port === 0) continue;
      const url = new URL(own[name]);
      const front = await openFront(port, Number(url.port));
      fronts.push(front);
      const { origin } = url;
      url.port = String(port);
      moved.set(origin, url.origin);
    }
  } catch (error) {
    await close();
    throw error;
  }
  return { addresses: move(addresses, moved), admin: move(admin, moved), close };
}

/** The same with the origins that have moved, wherever they stand. */
function move<T>(value: T, moved: ReadonlyMap<string, string>): T {
  if (typeof value === "string") {
    const [origin = ""] = /^https?:\/\/[^/]+/.exec(value) ?? [];
    const target = moved.get(origin);
    return (target === undefined ? value : target + value.slice(origin.length)) as T;
  }
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).map(([name, member]) => [name, move(member, moved)]);
  return Object.fromEntries(entries) as T;
}

interface Front {
  close(): Promise<void>;
}

async function openFront(port: number, target: number): Promise<Front> {
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (near) => {
    const far = connect({ host: "127.0.0.1", port: target, allowHalfOpen: true, noDelay: true });
    for (const [socket, other] of [[near, far], [far, near]] as const) {
      sockets.add(socket);
      socket.pipe(other);
      socket.on("error", () => reset(other)).on("close", () => sockets.delete(socket));
    }
  });
  await listen(server, port);
  return {
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (cause: NodeJS.ErrnoException) => {
      const why = cause.code === "EADDRINUSE" ? "is taken" : "can't be had";
      reject(
        new KeyboundError("invalid_argument", `Port ${port} ${why}. Choose another.`, { cause }),
      );
    });
    server.listen(port, "127.0.0.1", resolve);
  });
}

/** Not every runtime can reset; it ends the connection then. */
function reset(socket: Socket): void {
  if (typeof socket.resetAndDestroy === "function") socket.resetAndDestroy();
  else (socket as Socket).destroy();
}
