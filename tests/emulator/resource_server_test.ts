import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { after, before, beforeEach, describe, it } from "node:test";
import { claimsChallenge, type Emulator, startEmulator } from "../../emulator/mod.ts";
import { mint, rsaKey, SYSTEM, TENANT } from "./support/csr.ts";
import { type ClientPem, postToken, send, type Sending } from "./support/http.ts";

describe("the emulated resource server", () => {
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

  async function token(resource = "https://vault.azure.net", type = "mtls_pop"): Promise<string> {
    const answer = await postToken(emulator, TENANT, {
      client_id: SYSTEM,
      scope: `${resource}/.default`,
      grant_type: "client_credentials",
      token_type: type,
    }, { client });
    return `${answer.json["access_token"]}`;
  }

  const call = (authorization: string | undefined, sending: Sending = {}, path = "/secrets/a") =>
    send(`${emulator.resource}${path}`, {
      ca: emulator.ca,
      client,
      ...sending,
      headers: { ...(authorization === undefined ? {} : { authorization }), ...sending.headers },
    });

  const refusals: [string, () => Promise<[string | undefined, Sending?]>, RegExp][] = [
    ["no token", () => Promise.resolve([undefined]), /mtls_pop token is required/],
    [
      "a bound token that claims to be a bearer token",
      async () => [`Bearer ${await token()}`],
      /mtls_pop token is required/,
    ],
    [
      "a token that isn't one",
      () => Promise.resolve(["mtls_pop nonsense"]),
      /invalid or has expired/,
    ],
    [
      "a token whose signature was cut off",
      async () => [`mtls_pop ${(await token()).replace(/[^.]+$/, "")}`],
      /invalid or has expired/,
    ],
    ["an expired token", async () => {
      const authorization = `mtls_pop ${await token()}`;
      await emulator.advance(2 * 24 * 3600_000);
      return [authorization];
    }, /invalid or has expired/],
    [
      "a token for another audience",
      async () => [`mtls_pop ${await token("https://graph.microsoft.com")}`],
      /another audience/,
    ],
    ["an unbound token", async () => [`mtls_pop ${await token(undefined, "Bearer")}`], /not bound/],
    ["a token bound to another certificate of the same key", async () => {
      const authorization = `mtls_pop ${await token()}`;
      return [authorization, { client: await mint(emulator, key) }];
    }, /not bound/],
    [
      "a token without its certificate",
      async () => [`mtls_pop ${await token()}`, { client: undefined }],
      /No client certificate/,
    ],
  ];
  for (const [what, request, reason] of refusals) {
    it(`refuses ${what}`, async () => {
      const [authorization, sending] = await request();
      const answer = await call(authorization, sending);
      assert.equal(answer.status, 401);
      assert.match(`${answer.headers["www-authenticate"]}`, /^mtls_pop error="invalid_token"/);
      assert.match(`${answer.json["error_description"]}`, reason);
    });
  }

  const bearerRefusals: [string, () => Promise<string>, RegExp, RegExp][] = [
    [
      "a bearer token where only bound ones will do",
      async () => {
        const bearer = await token(undefined, "Bearer");
        await emulator.set({ acceptBearer: false });
        return bearer;
      },
      /mtls_pop token is required/,
      /^mtls_pop /,
    ],
    [
      "an expired bearer token",
      async () => {
        const bearer = await token(undefined, "Bearer");
        await emulator.advance(2 * 24 * 3600_000);
        return bearer;
      },
      /invalid or has expired/,
      /^Bearer /,
    ],
    [
      "a bearer token for another audience",
      () => token("https://graph.microsoft.com", "Bearer"),
      /another audience/,
      /^Bearer /,
    ],
  ];
  for (const [what, bearer, reason, challenge] of bearerRefusals) {
    it(`refuses ${what}`, async () => {
      const answer = await call(`Bearer ${await bearer()}`, { client: undefined });
      assert.equal(answer.status, 401);
      assert.match(`${answer.json["error_description"]}`, reason);
      assert.match(`${answer.headers["www-authenticate"]}`, challenge);
    });
  }

  it("takes a bearer token that is bound to nothing, over any connection", async () => {
    const bearer = await token(undefined, "Bearer");
    for (const sending of [{ client: undefined }, {}]) {
      const answer = await call(`Bearer ${bearer}`, sending);
      assert.equal(answer.status, 200, answer.body.toString());
      assert.equal(answer.json["thumbprint"], null);
      assert.match(`${answer.json["sub"]}`, /^[0-9a-f-]{36}$/);
    }
  });

  it("asks the bearer of a token for claims in the bearer's scheme", async () => {
    await emulator.script("resource", claimsChallenge({ access_token: {} }, "Bearer"));
    const answer = await call(`Bearer ${await token(undefined, "Bearer")}`);
    assert.match(`${answer.headers["www-authenticate"]}`, /^Bearer error="insufficient_claims"/);
  });

  it("answers who called and how, given a token and its certificate", async () => {
    const body = randomBytes(1000);
    const answer = await call(`mtls_pop ${await token()}`, { method: "PUT", body });
    assert.equal(answer.status, 200, answer.body.toString());
    assert.equal(answer.json["thumbprint"], client.thumbprint);
    assert.equal(answer.json["path"], "/secrets/a");
    assert.equal(answer.json["method"], "PUT");
    assert.equal(answer.json["bytes"], 1000);
    assert.match(`${answer.json["sub"]}`, /^[0-9a-f-]{36}$/);
  });

  it("takes the audiences that were set, trailing slash or not", async () => {
    await emulator.set({ audiences: ["https://api.example/"] });
    assert.equal((await call(`mtls_pop ${await token()}`)).status, 401);
    assert.equal((await call(`mtls_pop ${await token("https://api.example")}`)).status, 200);
  });

  it("sends a body of any size back", async () => {
    const body = randomBytes(5_000_000);
    const answer = await call(`mtls_pop ${await token()}`, { method: "POST", body }, "/echo");
    assert.equal(answer.status, 200);
    assert.equal(
      createHash("sha256").update(answer.body).digest("hex"),
      createHash("sha256").update(body).digest("hex"),
    );
  });

  it("asks for claims when told to, once", async () => {
    const claims = { access_token: { nbf: { essential: true, value: "1700000000" } } };
    await emulator.script("resource", claimsChallenge(claims));
    const authorization = `mtls_pop ${await token()}`;
    const challenged = await call(authorization);
    assert.equal(challenged.status, 401);
    const encoded = /claims="([^"]+)"/.exec(`${challenged.headers["www-authenticate"]}`)![1]!;
    assert.deepEqual(JSON.parse(Buffer.from(encoded, "base64").toString()), claims);
    assert.equal((await call(authorization)).status, 200);
  });
});
