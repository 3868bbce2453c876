import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { describe, it } from "node:test";
import { type Connection, Connections, numbering } from "../../emulator/connections.ts";

/** An accepted connection and its client, for one test. */
async function withConnection(
  work: (connection: Connection, client: Socket, connections: Connections) => Promise<void>,
): Promise<void> {
  const connections = new Connections(numbering());
  const server = createServer({ allowHalfOpen: true });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const accepted = once(server, "connection");
  const client = connect({
    port: (server.address() as AddressInfo).port,
    host: "127.0.0.1",
    allowHalfOpen: true,
  });
  const [socket] = await accepted as [Socket];
  try {
    await work(connections.accept(socket)!, client, connections);
  } finally {
    client.destroy();
    socket.destroy();
    server.close();
  }
}

describe("the connections of a listener", () => {
  for (const how of ["reset", "fin"] as const) {
    it(`are closed by ${how} when they were in use, and forgotten`, async () => {
      await withConnection(async (connection, client, connections) => {
        const failed = new Promise((resolve) => client.on("error", resolve).on("end", resolve));
        client.resume();
        const { remotePort } = connection.socket;
        assert.equal(connections.of({ remotePort }), connection);
        const closed = once(connection.socket, "close");
        connections.endAll(how);
        await Promise.all([closed, failed]);
        assert.equal(connections.of({ remotePort }), undefined);
      });
    });
  }
});
