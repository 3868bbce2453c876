import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import { connectEmulator, type Emulator, startEmulator } from "../../emulator/mod.ts";
import { getMetadata, send, V2 } from "./support/http.ts";

describe("the admin endpoint", () => {
  let emulator: Emulator;
  before(async () => {
    emulator = await startEmulator();
  });
  beforeEach(() => emulator.reset());
  after(() => emulator.close());

  const call = (name: string, body?: string, authorization = `Bearer ${emulator.admin.secret}`) =>
    send(`${emulator.admin.url}/${name}`, {
      method: body === undefined ? "GET" : "POST",
      headers: authorization === "" ? {} : { authorization },
      ...(body === undefined ? {} : { body }),
    });

  it("refuses everything without the secret", async () => {
    const { secret } = emulator.admin;
    const wrong = [
      "",
      "Bearer",
      "Bearer x",
      `Bearer ${secret}x`,
      `Bearer ${secret.slice(1)}`,
      `Basic ${secret}`,
    ];
    for (const authorization of wrong) {
      for (const [name, body] of [["", undefined], ["counts", "[]"], ["nothing", "[]"]] as const) {
        assert.equal((await call(name, body, authorization)).status, 401, authorization);
      }
    }
  });

  it("finds no method but those of an emulator", async () => {
    for (const name of ["close", "call", "constructor", "toString", "__proto__", "counts/x"]) {
      assert.equal((await call(name, "[]")).status, 404, name);
    }
    assert.equal((await call("counts")).status, 404);
  });

  it("refuses a body that is no JSON array", async () => {
    for (const body of ["", "{", "{}", '"counts"']) {
      const answer = await call("counts", body);
      assert.equal(answer.status, 400);
      assert.equal(answer.json["error"], "invalid_argument");
    }
  });

  it("says which argument it doesn't understand", async () => {
    const answer = await call("script", '["token", {"kind": "respond", "status": "no"}]');
    assert.equal(answer.status, 400);
    assert.match(`${answer.json["message"]}`, /steps\.0\.status/);
  });

  it("carries out what an emulator can do", async () => {
    assert.deepEqual(
      (await call("script", '["getplatformmetadata", {"kind": "respond", "status": 410}]')).json,
      {
        result: null,
      },
    );
    const answer = await getMetadata(emulator, `identity/getplatformmetadata?${V2}`);
    assert.equal(answer.status, 410);
    const { result } = (await call("counts", "[]")).json as { result: Record<string, number> };
    assert.equal(result["getplatformmetadata"], 1);
  });

  it("has another secret at every start, and listens on loopback as all others do", async () => {
    const other = await startEmulator();
    await other.close();
    assert.notEqual(other.admin.secret, emulator.admin.secret);
    assert.ok(other.admin.secret.length >= 43);
    const { metadata, mtls, resource, attestation, sources, admin } = other;
    const published = Object.values(sources).flatMap((environment: Record<string, string>) =>
      Object.entries(environment)
        .filter(([name]) => /ENDPOINT|HOST/.test(name))
        .map(([, value]) => value)
    );
    assert.equal(published.length, 7);
    for (const url of [metadata, mtls, resource, attestation, admin.url, ...published]) {
      assert.equal(new URL(url).hostname, "127.0.0.1");
    }
  });

  describe("by connectEmulator", () => {
    it("isn't reached with a wrong secret", async () => {
      await assert.rejects(
        connectEmulator({ ...emulator.admin, secret: "A".repeat(43) }),
        { code: "access_denied" },
      );
    });

    it("isn't looked for off this host, where the secret would travel", async () => {
      const { secret } = emulator.admin;
      for (
        const url of [
          "http://example.com:80",
          "https://127.0.0.1:1",
          "http://127.0.0.1:1@example.com",
        ]
      ) {
        await assert.rejects(connectEmulator({ url, secret }), { code: "invalid_argument" });
      }
    });

    it("isn't reached where nothing listens, or something else does", async () => {
      const gone = await startEmulator();
      await gone.close();
      await assert.rejects(connectEmulator(gone.admin), { code: "network_unreachable" });
      await assert.rejects(
        connectEmulator({ url: emulator.metadata, secret: emulator.admin.secret }),
        { code: "network_unreachable" },
      );
    });

    it("is the same emulator, and stays when the connection is closed", async () => {
      const connected = await connectEmulator(emulator.admin);
      assert.equal(connected.metadata, emulator.metadata);
      assert.equal(connected.ca, emulator.ca);
      assert.deepEqual(connected.sources, emulator.sources);
      assert.equal(connected.serviceFabricCertificate, emulator.serviceFabricCertificate);
      await connected.set({ v1Only: true });
      assert.equal((await emulator.state()).v1Only, true);
      await connected.advance(60_000);
      assert.ok(Math.abs(await connected.now() - await emulator.now()) < 5_000);
      await assert.rejects(connected.script("token", { kind: "no" as "pass" }), {
        code: "invalid_argument",
        message: /steps\.0\.kind/,
      });
      await connected.close();
      assert.equal((await emulator.state()).v1Only, true);
    });
  });
});
