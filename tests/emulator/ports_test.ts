/**
 * The emulator's listeners at ports of the caller's choice.
 *
 * @module
 */

import assert from "node:assert/strict";
import { type AddressInfo, createServer, type Server } from "node:net";
import { describe, it } from "node:test";
import { type EmulatorOptions, startEmulator } from "../../emulator/mod.ts";

/** Something that listens at a port of its own. */
async function listening(): Promise<{ readonly port: number; close(): Promise<void> }> {
  const server: Server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return { port, close: () => new Promise((resolve) => server.close(() => resolve())) };
}

/** A port that was free a moment ago. */
async function freePort(): Promise<number> {
  const { port, close } = await listening();
  await close();
  return port;
}

describe("The ports of the emulator", () => {
  const refused: Readonly<Record<string, NonNullable<EmulatorOptions["ports"]>>> = {
    "two that are the same": { metadata: 4001, admin: 4001 },
    "one that is none": { mtls: 65_536 },
    "one of a listener that there isn't": { web: 4001 } as EmulatorOptions["ports"] & object,
  };
  for (const [title, ports] of Object.entries(refused)) {
    it(`are refused: ${title}`, async () => {
      await assert.rejects(startEmulator({ ports }), { code: "invalid_argument" });
    });
  }

  it("are refused where one is taken, and those opened before it are free again", async () => {
    const taken = await listening();
    const metadata = await freePort();
    const start = startEmulator({ ports: { metadata, admin: taken.port } });
    await assert.rejects(start, {
      code: "invalid_argument",
      message: `Port ${taken.port} is taken. Choose another.`,
    });
    await taken.close();
    const emulator = await startEmulator({ ports: { metadata } });
    assert.equal(emulator.metadata, `http://127.0.0.1:${metadata}`);
    await emulator.close();
  });

  it("are where every address says, in the metadata service's answers too", async () => {
    const ports = { metadata: await freePort(), mtls: await freePort(), sources: await freePort() };
    const emulator = await startEmulator({ ports: { ...ports, resource: 0 } });
    try {
      assert.equal(emulator.mtls, `https://127.0.0.1:${ports.mtls}`);
      const { IDENTITY_ENDPOINT } = emulator.sources.appservice;
      assert.equal(new URL(IDENTITY_ENDPOINT).port, `${ports.sources}`);
      assert.notEqual(new URL(emulator.resource).port, "0");
      const metadata = await fetch(`http://127.0.0.1:${ports.metadata}/`);
      await metadata.arrayBuffer();
      assert.equal(metadata.status, 404);
    } finally {
      await emulator.close();
    }
  });
});
