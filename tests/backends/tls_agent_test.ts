/**
 * The agent over a TLS engine: which connections it uses again.
 *
 * @module
 */

import assert from "node:assert/strict";
import { once } from "node:events";
import { get } from "node:https";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { describe, it } from "node:test";
import { EngineAgent } from "../../backends/tls_engine/agent.ts";
import { plainEngine } from "./support/plain_engine.ts";

const answer = (text: string) => `HTTP/1.1 200 OK\r\nContent-Length: ${text.length}\r\n\r\n${text}`;

describe("an agent over a TLS engine", () => {
  it("keeps connections alive, and ends one whose peer speaks unasked", async () => {
    const peers: Socket[] = [];
    const server = createServer((peer) => {
      peers.push(peer);
      peer.on("error", () => {});
      peer.on("data", (data) => {
        if (data.toString() === "hello") peer.write("!");
        else if (data.includes("GET")) peer.write(answer(`by ${peers.length}`));
      });
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const agent = new EngineAgent(
      { open: () => plainEngine().engine, resume: false },
      { keepAlive: true },
    );
    const fetch = () =>
      new Promise<string>((resolve, reject) => {
        get({ agent, host: "127.0.0.1", port }, (response) => {
          let body = "";
          response.on("data", (chunk) => body += chunk);
          response.on("end", () => resolve(body));
          response.on("error", reject);
        }).on("error", reject);
      });
    const idle = async () => {
      while (Object.keys(agent.freeSockets).length === 0) {
        await new Promise((resolve) => setImmediate(resolve));
      }
    };
    assert.equal(await fetch(), "by 1");
    await idle();
    assert.equal(await fetch(), "by 1");
    await idle();
    const closed = once(peers[0]!, "close");
    peers[0]!.write(answer("evil"));
    await closed;
    assert.equal(await fetch(), "by 2");
    agent.destroy();
    server.close();
  });
});
