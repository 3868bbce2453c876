import assert from "node:assert/strict";
import https from "node:https";
import process from "node:process";
import { after, before, beforeEach, describe, it } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { type ConnectionFault, type Emulator, startEmulator } from "../../emulator/mod.ts";
import { mint, rsaKey, TENANT, TOKEN_FORM } from "./support/csr.ts";
import {
  type ClientPem,
  failureOf,
  failureText,
  postToken,
  send,
  type Sending,
  until,
} from "./support/http.ts";

/** Deno says EPIPE when it was still writing its ClientHello. */
const RESET = /ECONNRESET|ERR_SOCKET_CLOSED|EPIPE/;

describe("a connection fault", () => {
  const key = rsaKey();
  let emulator: Emulator;
  let client: ClientPem & { thumbprint: string };
  before(async () => {
    emulator = await startEmulator();
  });
  beforeEach(async () => {
    await emulator.reset();
    client = await mint(emulator, key);
  });
  after(() => emulator.close());

  const post = (sending: Sending = {}) =>
    postToken(emulator, TENANT, TOKEN_FORM, { client, ...sending });

  const wrong: [string, unknown][] = [
    ["with a kind that isn't one", { kind: "explode" }],
    ["with an alert that isn't one", { kind: "alert", alert: "bad_hair" }],
    ["with an alert beyond a byte", { kind: "alert", alert: 256 }],
    ["with a point that isn't one", { kind: "close", at: "lunch" }],
  ];
  for (const [what, fault] of wrong) {
    it(`is refused ${what}`, async () => {
      await assert.rejects(emulator.fault("token", fault as ConnectionFault), {
        code: "invalid_argument",
      });
    });
  }

  it("is refused for a listener without mTLS", async () => {
    await assert.rejects(emulator.fault("metadata" as "token", { kind: "silent" }), {
      code: "invalid_argument",
    });
  });

  for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
    it(`can be an alert by name or number, over ${version}`, async () => {
      await emulator.fault("token", { kind: "alert", alert: "certificate_revoked", version }, {
        kind: "alert",
        alert: 45,
        version,
      });
      assert.match(
        failureText(await failureOf(post({ version }))).replaceAll(/[_ ]/g, ""),
        /certificaterevoked/i,
      );
      assert.match(
        failureText(await failureOf(post({ version }))).replaceAll(/[_ ]/g, ""),
        /certificateexpired/i,
      );
      assert.equal((await post({ version })).status, 200);
      const counts = await emulator.counts();
      assert.equal(counts.token_connections, 3);
      assert.equal(counts.token, 1);
    });

    for (const at of ["accept", "client_hello", "second_flight"] as const) {
      for (const how of ["reset", "fin"] as const) {
        it(`can be a ${how} at ${at}, over ${version}`, async () => {
          await emulator.fault("token", { kind: "close", at, how, version });
          assert.match(failureText(await failureOf(post({ version }))), RESET);
          assert.equal((await post({ version })).status, 200);
        });
      }
    }
  }

  it("can be plain HTTP in place of TLS", async () => {
    await emulator.fault("resource", { kind: "plain_http" });
    const failure = await failureOf(send(`${emulator.resource}/`, { ca: emulator.ca, client }));
    assert.match(failureText(failure), /wrong.version.number|SSL|EPROTO|corrupt/i);
    assert.equal((await send(`${emulator.resource}/`, { ca: emulator.ca, client })).status, 401);
  });

  it("can be silence, for as long as the client waits", async () => {
    await emulator.fault("token", { kind: "silent" });
    const agent = new https.Agent({ ca: emulator.ca });
    const request = https.request(`${emulator.mtls}/`, { agent });
    const failed = new Promise((resolve) => request.on("error", resolve));
    request.end();
    await until(async () => (await emulator.counts()).token_connections === 1);
    assert.equal((await post()).status, 200);
    request.destroy(new Error("enough"));
    assert.match(String(await failed), /enough/);
    agent.destroy();
  });

  it("takes connections in turn and lets others pass", async () => {
    await emulator.fault("token", { kind: "pass" }, { kind: "close", at: "accept", times: 2 });
    assert.equal((await post()).status, 200);
    assert.match(failureText(await failureOf(post())), RESET);
    assert.match(failureText(await failureOf(post())), RESET);
    assert.equal((await post()).status, 200);
  });

  it("of one listener leaves the other alone, and goes with reset", async () => {
    await emulator.fault("token", { kind: "close", at: "accept", times: "forever" });
    assert.equal((await send(`${emulator.resource}/`, { ca: emulator.ca })).status, 401);
    assert.match(failureText(await failureOf(post())), RESET);
    await emulator.reset();
    assert.equal((await post()).status, 200);
  });

  it("cuts revoked certificates off right after the handshake when told to", async () => {
    await emulator.set({ revocation: "reset" });
    await emulator.revoke({ thumbprints: [client.thumbprint] });
    assert.match(failureText(await failureOf(post())), RESET);
    assert.equal((await post({ client: await mint(emulator, key) })).status, 200);
    assert.equal((await emulator.counts()).token, 1);
  });

  it("cuts them off on connections they have open, too", async () => {
    const agent = new https.Agent({ ...client, ca: emulator.ca, keepAlive: true });
    assert.equal((await post({ agent })).status, 200);
    await emulator.set({ revocation: "reset" });
    await emulator.revoke({ issued: true });
    assert.match(failureText(await failureOf(post({ agent }))), RESET);
    agent.destroy();
    assert.equal((await emulator.counts()).token, 1);
  });

  describe("of the server's certificate", () => {
    const kinds: ["expired" | "wrong_host" | "untrusted", RegExp][] = [
      // Deno has one word for most that is wrong with a chain.
      ["expired", /CERT_HAS_EXPIRED|UNABLE_TO_VERIFY_LEAF_SIGNATURE/],
      ["wrong_host", /ALTNAME|not valid for name/i],
      ["untrusted", /UNABLE_TO_VERIFY|signature|UnknownIssuer|self.signed|verify/i],
    ];
    for (const [serverCertificate, pattern] of kinds) {
      it(`shows one that is ${serverCertificate}, until it is reset`, async () => {
        await emulator.set({ serverCertificate });
        assert.match(failureText(await failureOf(post())), pattern);
        await emulator.reset();
        assert.equal((await post({ client: await mint(emulator, key) })).status, 200);
      });
    }
  });

  it("can be a server that speaks no TLS 1.3", async () => {
    await emulator.set({ maxTlsVersion: "TLSv1.2" });
    await failureOf(post({ version: "TLSv1.3" }));
    assert.equal((await post()).status, 200);
    const [record] = await emulator.requests("token");
    assert.equal(record!.tlsVersion, "TLSv1.2");
  });

  // In process only: elsewhere the sockets are the child's.
  const { bun, deno } = process.versions as { bun?: string; deno?: string };
  const elsewhere = bun !== undefined || deno !== undefined;
  const tidy = "leaves no socket behind, whenever it cuts connections off";
  if (!elsewhere) {
    it(tidy, async () => {
      const own = await startEmulator();
      const theirs = await mint(own, key);
      const sockets = () =>
        process.getActiveResourcesInfo().filter((name) => name === "TCPSocketWrap").length;
      const before = sockets();
      for (let round = 0; round < 20; round++) {
        const requests = Array.from(
          { length: 6 },
          () => postToken(own, TENANT, TOKEN_FORM, { client: theirs }).catch(() => {}),
        );
        for (let i = 0; i < 2 * round; i++) await turn();
        await own.disconnect("token", "reset");
        await Promise.all(requests);
      }
      await own.close();
      await until(() => sockets() <= before);
    });
  }

  it("can end idle connections", async () => {
    const agent = new https.Agent({ ...client, ca: emulator.ca, keepAlive: true });
    assert.equal((await post({ agent })).status, 200);
    assert.equal((await post({ agent })).status, 200);
    const reused = (await emulator.requests("token")).map((record) => record.reusedConnection);
    assert.deepEqual(reused, [false, true]);
    await emulator.disconnect("resource");
    assert.equal((await post({ agent })).status, 200);
    assert.equal((await emulator.counts()).token_connections, 1);
    await emulator.disconnect("token", "fin");
    // The client may learn of the end only when it sends.
    await until(() => post({ agent }).then((answer) => answer.status === 200, () => false));
    assert.equal((await emulator.counts()).token_connections, 2);
    agent.destroy();
  });
});
