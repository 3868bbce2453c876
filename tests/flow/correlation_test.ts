/**
 * One correlation id for everything that a call sets off, errors included (protocol.md section 9.2).
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { MAX_BODY } from "../../src/http.ts";
import {
  type FakeAzure,
  fakeAzure,
  fakeJwt,
  type Script,
  status,
  VAULT,
  wire,
} from "../support/fake_azure.ts";
import { settling } from "../support/waiting.ts";

const URL = "https://my-vault.vault.azure.net/secrets/s";
const ID = "11111111-2222-4333-8444-555555555555";

/** The ids on the wire and in events, each once. */
function ids(azure: FakeAzure): Set<string | null> {
  const onWire = azure.sent.filter(({ endpoint }) => endpoint !== "resource").map((sent) =>
    sent.headers.get(sent.endpoint === "token" ? "client-request-id" : "x-ms-client-request-id")
  );
  return new Set([...onWire, ...azure.events.map(({ correlationId }) => correlationId)]);
}

describe("the correlation id of identity.fetch", () => {
  for (const [name, given] of [["the caller's", ID], ["a new one", undefined]] as const) {
    it(`is on every request, event and error of it: ${name}`, async () => {
      const azure = await fakeAzure();
      azure.always("resource", wire({ alert: 42 }));
      const options = { resource: VAULT, ...(given && { correlationId: given }) };
      const error = await azure.identity().fetch(URL, options).then(() => undefined, (e) => e);
      assert.equal(error.code, "tls_credential_rejected");
      assert.equal(azure.counts(), "1+1+1+1");
      assert.ok(azure.events.some(({ type }) => type === "failure"));
      assert.deepEqual(ids(azure), new Set([error.correlationId]));
      if (given === undefined) assert.match(error.correlationId, /^[0-9a-f-]{36}$/);
      else assert.equal(error.correlationId, given);
    });

    it(`is kept when a dead key is healed on the way: ${name}`, async () => {
      const azure = await fakeAzure();
      const identity = azure.identity();
      await identity.getToken({ resource: VAULT });
      await azure.keys.remove("keybound");
      azure.forget();
      azure.script("resource", wire({}));
      await identity.fetch(URL, { resource: VAULT, ...(given && { correlationId: given }) });
      assert.equal(azure.counts(), "1+1+1+2");
      assert.ok(azure.events.some(({ type }) => type === "mint"));
      assert.equal(ids(azure).size, 1);
      if (given !== undefined) assert.deepEqual(ids(azure), new Set([given]));
    });
  }
});

describe("an error of the token endpoint", () => {
  const cases: [code: string, script: Script][] = [
    ["redirect_refused", status(302, undefined, { location: "https://evil.example/" })],
    ["token_not_bound", () =>
      Response.json({
        token_type: "mtls_pop",
        expires_in: 3600,
        access_token: fakeJwt({ aud: VAULT, cnf: { "x5t#S256": "another" } }),
      })],
    ["request_timeout", () => new Promise(() => {})],
    ["response_too_large", () => new Response("x".repeat(MAX_BODY + 1))],
  ];
  for (const [code, script] of cases) {
    it(`says which acquisition it was and where: ${code}`, async () => {
      const azure = await fakeAzure();
      azure.always("token", script);
      const identity = azure.identity({ tokenTimeout: 100 });
      const asked = identity.getToken({ resource: VAULT, correlationId: ID });
      const moving = code === "request_timeout" ? timing(azure, asked) : settling(azure, asked);
      await assert.rejects(moving, { code, correlationId: ID, source: "TokenEndpoint" });
    });
  }

  it("that is a timeout is a failure event, too", async () => {
    const azure = await fakeAzure();
    azure.always("token", () => new Promise(() => {}));
    const asked = azure.identity({ tokenTimeout: 100 }).getToken({ resource: VAULT });
    await assert.rejects(timing(azure, asked));
    const failures = azure.events.flatMap((event) => event.type === "failure" ? [event] : []);
    assert.deepEqual(failures.map((event) => [event.endpoint, event.class]), [
      ["token", "timeout"],
    ]);
  });
});

/** The outcome of `work`, the clock moving on 100 ms at a time once the token is asked for. */
async function timing<T>(azure: FakeAzure, work: Promise<T>): Promise<T> {
  let settled = false;
  const done = () => void (settled = true);
  work.then(done, done);
  while (!settled) {
    const waiting = azure.counts().split("+")[2] !== "0";
    await azure.clock.advance(waiting ? 100 : 0);
  }
  return await work;
}
