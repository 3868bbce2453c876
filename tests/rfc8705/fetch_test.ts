/**
 * Requests to a resource server with token and certificate as one pair.
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { transportError } from "../../src/policy/failure.ts";
import { isInvalidToken } from "../../src/rfc8705/challenge.ts";
import { until } from "../support/waiting.ts";
import { changed, fakeServer, RESOURCE, type Script, status } from "./support/fake_server.ts";

const URL = `${RESOURCE}/orders`;
const invalidToken = status(401, {}, { "www-authenticate": 'Bearer error="invalid_token"' });

const rejected: Script = () => {
  throw transportError({
    signals: [{ code: "EPROTO", message: "ssl/tls alert certificate revoked, alert number 44" }],
    stage: "secure",
    reusedConnection: false,
    responseStarted: false,
  });
};

describe("client.fetch", () => {
  it("sends token and certificate together, in the scheme that the server names", async () => {
    for (const [token_type, scheme] of [["bearer", "Bearer"], ["MTLS_POP", "mtls_pop"]]) {
      const server = await fakeServer();
      server.script("token", changed({ token_type }));
      const client = server.client();
      const response = await client.fetch(URL, { scope: "a", headers: { "x-a": "b" } });
      assert.equal(response.status, 200);
      const { accessToken } = await client.getToken({ scope: "a" });
      const { headers, thumbprint, url } = server.sent.at(-1)!;
      assert.equal(headers.get("authorization"), `${scheme} ${accessToken}`);
      assert.equal(headers.get("x-a"), "b");
      assert.equal(thumbprint, server.credential.thumbprint);
      assert.equal(url, URL);
      assert.equal(server.counts(), "1+1+0+1");
    }
  });

  it("goes over https only, and refuses before any network", async () => {
    const server = await fakeServer();
    for (const url of ["http://api.example", "https://u:p@api.example/", "nonsense"]) {
      await assert.rejects(server.client().fetch(url), { code: "invalid_argument" });
    }
    assert.equal(server.counts(), "0+0+0+0");
  });

  it("answers a 401 that calls the token invalid with a new token, once", async () => {
    const server = await fakeServer();
    server.always("resource", invalidToken);
    const response = await server.client().fetch(URL, { method: "POST", body: "x" });
    assert.equal(response.status, 401);
    assert.equal(server.counts(), "1+2+0+2");
    const [first, second] = server.sent.filter(({ endpoint }) => endpoint === "resource");
    assert.notEqual(first!.headers.get("authorization"), second!.headers.get("authorization"));
  });

  it("leaves a 401 alone that says something else, and a body that can't be sent twice", async () => {
    const server = await fakeServer();
    server.script("resource", status(401, {}, { "www-authenticate": 'Bearer realm="x"' }));
    assert.equal((await server.client().fetch(URL)).status, 401);
    assert.equal(server.counts(), "1+1+0+1");
    server.script("resource", invalidToken);
    const body = new Blob(["x"]).stream();
    const init = { method: "POST", body, duplex: "half" } as RequestInit;
    assert.equal((await server.client().fetch(URL, init)).status, 401);
    assert.equal(server.counts(), "2+2+0+2");
  });

  it("fetches one new token for many requests that were refused together", async () => {
    const server = await fakeServer();
    const client = server.client();
    const { accessToken } = await client.getToken();
    server.always(
      "resource",
      async (sent, regular) =>
        sent.headers.get("authorization") === `Bearer ${accessToken}`
          ? await invalidToken(sent, regular)
          : await regular(),
    );
    const responses = await Promise.all(Array.from({ length: 10 }, () => client.fetch(URL)));
    assert.deepEqual(responses.map(({ status }) => status), Array(10).fill(200));
    assert.equal(server.counts(), "1+2+0+20");
  });

  it("takes the token that another request's refusal has brought meanwhile", async () => {
    const server = await fakeServer();
    const client = server.client();
    let release = () => {};
    const held = new Promise<void>((resolve) => release = resolve);
    server.script("resource", async (sent, regular) => {
      await held;
      return await invalidToken(sent, regular);
    }, invalidToken);
    const slow = client.fetch(URL);
    await until(() => server.counts() === "1+1+0+1");
    assert.equal((await client.fetch(URL)).status, 200);
    release();
    assert.equal((await slow).status, 200);
    assert.equal(server.counts(), "1+2+0+4");
  });

  it("moves to the successor of a certificate that has been withdrawn", async () => {
    const server = await fakeServer();
    const second = await server.newCredential();
    let current = server.credential;
    const client = server.client({ credential: () => current });
    await client.fetch(URL);
    current = second;
    server.script("resource", rejected);
    assert.deepEqual(await (await client.fetch(URL)).json(), { thumbprint: second.thumbprint });
    assert.equal((await client.getToken()).binding.credential, second);
  });

  it("reports a certificate that is refused and has no successor", async () => {
    const server = await fakeServer();
    server.always("resource", rejected);
    const failing = server.client().fetch(URL);
    await assert.rejects(failing, { code: "tls_credential_rejected", source: "Resource" });
    assert.equal(server.counts(), "1+2+0+1");
  });

  it("asks for a new token where it is told to, once", async () => {
    const server = await fakeServer();
    const client = server.client();
    await client.getToken();
    await client.fetch(URL, { forceRefresh: true });
    assert.equal(server.counts(), "1+2+0+1");
  });
});

describe("a challenge", () => {
  const rows: [string | null, boolean][] = [
    [null, false],
    ["", false],
    ['Bearer error="invalid_token"', true],
    ["Bearer error=invalid_token", true],
    ['mtls_pop realm="a, b", ERROR = "invalid_token", error_description="x"', true],
    ['Bearer error="insufficient_scope"', false],
    ['Bearer realm="error=\\"invalid_token\\""', false],
    ['Bearer realm="error=invalid_token"', false],
    ['Bearer x_error="invalid_token"', false],
    [`Bearer realm="${"x".repeat(5000)}", error="invalid_token"`, false],
  ];
  for (const [header, expected] of rows) {
    it(`${header?.slice(0, 60)} ${expected ? "calls" : "doesn't call"} the token invalid`, () => {
      assert.equal(isInvalidToken(header), expected);
    });
  }

  it("that is made to waste time is read in no time", () => {
    const start = performance.now();
    isInvalidToken('a="'.repeat(1365));
    isInvalidToken(`a="${'\\"'.repeat(2000)}`);
    isInvalidToken("a".repeat(4096));
    assert.ok(performance.now() - start < 500);
  });
});
