import assert from "node:assert/strict";
import http from "node:http";
import { after, before, beforeEach, describe, it } from "node:test";
import {
  type Emulator,
  invalidClient,
  oauthFailure,
  redirect,
  startEmulator,
  type Step,
  throttled,
  unavailable,
} from "../../emulator/mod.ts";
import { mint, rsaKey, SYSTEM, TENANT, TOKEN_FORM } from "./support/csr.ts";
import {
  type ClientPem,
  failureOf,
  failureText,
  getMetadata,
  postToken,
  until,
  V2,
} from "./support/http.ts";

const PLATFORM = `identity/getplatformmetadata?${V2}`;

describe("a script", () => {
  const key = rsaKey();
  let emulator: Emulator;
  let client: ClientPem;
  before(async () => {
    emulator = await startEmulator();
  });
  beforeEach(() => emulator.reset());
  after(() => emulator.close());

  const metadata = () => getMetadata(emulator, PLATFORM);

  describe("is refused", () => {
    const wrong: [string, unknown][] = [
      ["with a kind that isn't one", { kind: "explode" }],
      ["without a kind", { status: 500 }],
      ["with a member that isn't one", { kind: "respond", statusCode: 500 }],
      ["with a status that isn't one", { kind: "respond", status: 42 }],
      ["with a header name that isn't one", { kind: "respond", headers: { "a b": "c" } }],
      ["with a header value that would split the answer", {
        kind: "respond",
        headers: { a: "b\r\nc: d" },
      }],
      ["with a negative delay", { kind: "pass", delay: -1 }],
      ["with no times", { kind: "pass", times: 0 }],
      ["that is no object", "invalid_client"],
    ];
    for (const [what, step] of wrong) {
      it(what, async () => {
        await assert.rejects(emulator.script("token", step as Step), { code: "invalid_argument" });
      });
    }

    it("for an endpoint that isn't one", async () => {
      await assert.rejects(
        emulator.script("tokens" as "token", { kind: "pass" }),
        { code: "invalid_argument" },
      );
    });

    it("beyond 10,000 steps", async () => {
      const steps = Array.from({ length: 6_000 }, (): Step => ({ kind: "pass" }));
      await emulator.script("token", ...steps);
      await assert.rejects(emulator.script("token", ...steps), { code: "invalid_argument" });
    });
  });

  it("gives each step to as many requests as it says, in order, then behaves again", async () => {
    await emulator.script(
      "getplatformmetadata",
      { kind: "pass" },
      { ...unavailable(500), times: 2 },
      throttled(7),
    );
    const answers = [];
    for (let i = 0; i < 5; i++) answers.push(await metadata());
    assert.deepEqual(answers.map(({ status }) => status), [200, 500, 500, 429, 200]);
    assert.equal(answers[3]!.headers["retry-after"], "7");
    const steps = (await emulator.requests("getplatformmetadata")).map(({ step }) => step);
    assert.deepEqual(steps, ["pass", "respond", "respond", "respond", null]);
  });

  it("goes on for ever until it is taken away", async () => {
    await emulator.script("getplatformmetadata", { ...unavailable(), times: "forever" });
    for (let i = 0; i < 3; i++) assert.equal((await metadata()).status, 503);
    await emulator.unscript("compute");
    assert.equal((await metadata()).status, 503);
    await emulator.unscript("getplatformmetadata");
    assert.equal((await metadata()).status, 200);
  });

  it("of one endpoint is none of the others'", async () => {
    await emulator.script("issuecredential", unavailable());
    assert.equal((await metadata()).status, 200);
  });

  it("is taken away by unscript for all and by reset", async () => {
    await emulator.script("getplatformmetadata", unavailable());
    await emulator.unscript();
    assert.equal((await metadata()).status, 200);
    await emulator.script("getplatformmetadata", unavailable());
    await emulator.reset();
    assert.equal((await metadata()).status, 200);
  });

  describe("can answer", () => {
    it("with a body as it is", async () => {
      const step: Step = {
        kind: "respond",
        status: 400,
        headers: { "content-type": "text/html" },
        body: "<p>",
      };
      await emulator.script("getplatformmetadata", step);
      const answer = await metadata();
      assert.equal(answer.headers["content-type"], "text/html");
      assert.equal(answer.body.toString(), "<p>");
      assert.match(`${answer.headers.server}`, /^IMDS/);
    });

    it("with a redirect", async () => {
      await emulator.script("getplatformmetadata", redirect("http://127.0.0.1:9/", 302));
      const answer = await metadata();
      assert.equal(answer.status, 302);
      assert.equal(answer.headers.location, "http://127.0.0.1:9/");
    });

    it("with invalid_client and other OAuth errors", async () => {
      client = await mint(emulator, key);
      await emulator.script(
        "token",
        invalidClient(),
        oauthFailure("interaction_required", { claims: { access_token: {} }, suberror: "x" }),
      );
      const first = await postToken(emulator, TENANT, TOKEN_FORM, { client });
      assert.equal(first.status, 400);
      assert.equal(first.json["error"], "invalid_client");
      assert.deepEqual(first.json["error_codes"], [7000218]);
      const second = await postToken(emulator, TENANT, TOKEN_FORM, { client });
      assert.equal(second.json["claims"], '{"access_token":{}}');
      assert.equal(second.json["suberror"], "x");
      assert.equal((await postToken(emulator, TENANT, TOKEN_FORM, { client })).status, 200);
    });
  });

  describe("can amend the answer", () => {
    it("by taking its Server header away, or setting another", async () => {
      await emulator.script(
        "getplatformmetadata",
        { kind: "amend", removeHeaders: ["Server"] },
        { kind: "amend", headers: { server: "I_MDS/150" } },
      );
      assert.equal((await metadata()).headers.server, undefined);
      assert.equal((await metadata()).headers.server, "I_MDS/150");
    });

    it("by leaving members out and setting others", async () => {
      await emulator.script("getplatformmetadata", {
        kind: "amend",
        omit: ["tenantId", "cuId.vmssId", "nothing.there"],
        merge: { clientId: "", extra: 1 },
      });
      const { json } = await metadata();
      assert.deepEqual(json["cuId"], { vmId: "test-vm-id" });
      assert.equal("tenantId" in json, false);
      assert.equal(json["clientId"], "");
      assert.equal(json["extra"], 1);
    });

    it("by another status", async () => {
      await emulator.script("getplatformmetadata", { kind: "amend", status: 203 });
      const answer = await metadata();
      assert.equal(answer.status, 203);
      assert.equal(answer.json["clientId"], SYSTEM);
    });
  });

  describe("can break the answer off", () => {
    for (const how of ["reset", "fin"] as const) {
      it(`before its first byte, by ${how}`, async () => {
        await emulator.script("getplatformmetadata", { kind: "drop", how });
        assert.match(failureText(await failureOf(metadata())), /ECONNRESET|socket|closed|hang up/i);
        const [record] = await emulator.requests("getplatformmetadata");
        assert.equal(record!.status, null);
      });

      it(`before its first byte, by ${how}, over mTLS`, async () => {
        client = await mint(emulator, key);
        await emulator.script("token", { kind: "drop", how });
        const failure = await failureOf(postToken(emulator, TENANT, TOKEN_FORM, { client }));
        assert.match(failureText(failure), /ECONNRESET|socket|closed|hang up/i);
        assert.equal((await emulator.counts()).token, 1);
        assert.equal((await emulator.counts()).token_connections, 1);
      });

      it(`in its body, by ${how}, over mTLS`, async () => {
        client = await mint(emulator, key);
        await emulator.script("token", { kind: "truncate", after: 20, how });
        const failure = await failureOf(postToken(emulator, TENANT, TOKEN_FORM, { client }));
        assert.match(failureText(failure), /ECONNRESET|aborted|closed/i);
        const [record] = await emulator.requests("token");
        assert.equal(record!.status, 200);
      });
    }

    it("even where there is no body", async () => {
      await emulator.set({ v1Only: true });
      await emulator.script("getplatformmetadata", { kind: "truncate", after: 0 });
      assert.match(failureText(await failureOf(metadata())), /ECONNRESET|aborted|closed/i);
    });
  });

  it("can leave a request without any answer", async () => {
    await emulator.script("getplatformmetadata", { kind: "hang" });
    const url = `${emulator.metadata}/metadata/${PLATFORM}`;
    const agent = new http.Agent();
    const request = http.request(url, { headers: { metadata: "true" }, agent });
    let answered = false;
    request.on("response", () => (answered = true));
    const failed = new Promise((resolve) => request.on("error", resolve));
    request.end();
    // A whole other exchange goes by while this one waits.
    await until(async () => (await emulator.counts()).getplatformmetadata === 1);
    assert.equal((await metadata()).status, 200);
    assert.equal(answered, false);
    request.destroy(new Error("enough"));
    assert.match(String(await failed), /enough/);
    agent.destroy();
  });

  it("can delay an answer", async () => {
    await emulator.script("getplatformmetadata", { kind: "pass", delay: 120 });
    const start = performance.now();
    assert.equal((await metadata()).status, 200);
    assert.ok(performance.now() - start >= 110);
  });

  it("can flood a client with a body of any size", async () => {
    await emulator.script("getplatformmetadata", { kind: "flood", bytes: 3_000_000, status: 400 });
    const answer = await metadata();
    assert.equal(answer.status, 400);
    assert.equal(answer.body.length, 3_000_000);
    assert.equal(Object.keys(answer.json).length, 1);
  });
});
