import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, beforeEach, describe, it } from "node:test";
import { type Emulator, startEmulator } from "../../emulator/mod.ts";
import { issueFor, mint, rsaKey, SYSTEM, TENANT, TOKEN_FORM, USER } from "./support/csr.ts";
import { type ClientPem, postToken, send, type Sending } from "./support/http.ts";

const RESOURCE = "https://vault.azure.net";
type Form = Readonly<Record<string, string>>;

/** The form without this field. */
function without(left: string): Record<string, string> {
  return Object.fromEntries(Object.entries(TOKEN_FORM).filter(([name]) => name !== left));
}

describe("the emulated token endpoint", () => {
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

  const post = (form: Readonly<Record<string, string>> | string, sending: Sending = {}) =>
    postToken(emulator, TENANT, form, { client, ...sending });

  describe("refuses", () => {
    const table: [string, Form | string, number, string, number][] = [
      ["a request without a client id", without("client_id"), 400, "invalid_request", 900144],
      ["a request without a scope", without("scope"), 400, "invalid_request", 900144],
      ["a request without a grant type", without("grant_type"), 400, "invalid_request", 900144],
      [
        "another grant type",
        { ...TOKEN_FORM, grant_type: "password" },
        400,
        "unsupported_grant_type",
        70003,
      ],
      [
        "a scope without its suffix",
        { ...TOKEN_FORM, scope: RESOURCE },
        400,
        "invalid_scope",
        1002012,
      ],
      [
        "two scopes",
        { ...TOKEN_FORM, scope: `a/.default ${RESOURCE}/.default` },
        400,
        "invalid_scope",
        1002012,
      ],
      [
        "a scope that is nothing but its suffix",
        { ...TOKEN_FORM, scope: "/.default" },
        400,
        "invalid_scope",
        1002012,
      ],
      ["another token type", { ...TOKEN_FORM, token_type: "pop" }, 400, "invalid_request", 900144],
      ["claims that aren't JSON", { ...TOKEN_FORM, claims: "{" }, 400, "invalid_request", 900146],
      [
        "claims that are no object",
        { ...TOKEN_FORM, claims: "[]" },
        400,
        "invalid_request",
        900146,
      ],
      [
        "a parameter given twice",
        `${new URLSearchParams(TOKEN_FORM)}&scope=x`,
        400,
        "invalid_request",
        900144,
      ],
      [
        "a client that the tenant doesn't know",
        { ...TOKEN_FORM, client_id: TENANT },
        400,
        "unauthorized_client",
        700016,
      ],
      [
        "a client that the certificate isn't for",
        { ...TOKEN_FORM, client_id: USER },
        401,
        "invalid_client",
        700030,
      ],
    ];
    for (const [what, form, status, error, code] of table) {
      it(what, async () => {
        const answer = await post(form);
        assert.equal(answer.status, status, answer.body.toString());
        assert.equal(answer.json["error"], error);
        assert.deepEqual(answer.json["error_codes"], [code]);
        assert.match(`${answer.json["error_description"]}`, new RegExp(`^AADSTS${code}: `));
      });
    }

    const certificates: [string, () => Promise<ClientPem | undefined>, string, number][] = [
      ["no client certificate", () => Promise.resolve(undefined), "invalid_request", 392200],
      [
        "an expired certificate",
        async () => {
          await emulator.advance(8 * 24 * 3600_000);
          return client;
        },
        "invalid_client",
        700027,
      ],
      [
        "a certificate that isn't valid yet",
        async () => {
          await emulator.advance(-24 * 3600_000);
          return client;
        },
        "invalid_client",
        700027,
      ],
      [
        "a certificate of another CA",
        async () => {
          const stranger = await startEmulator();
          const foreign = await mint(stranger, key);
          await stranger.close();
          return foreign;
        },
        "invalid_client",
        700027,
      ],
      [
        "a certificate of another tenant",
        () => issueFor(emulator, key, SYSTEM, USER),
        "invalid_client",
        700030,
      ],
      [
        "a revoked certificate",
        async () => {
          await emulator.revoke({ thumbprints: [client.thumbprint] });
          return client;
        },
        "invalid_client",
        1000610,
      ],
      [
        "every certificate issued before",
        async () => {
          await emulator.revoke({ issued: true });
          return client;
        },
        "invalid_client",
        1000610,
      ],
    ];
    for (const [what, certificate, error, code] of certificates) {
      it(what, async () => {
        const presented = await certificate();
        const answer = await postToken(emulator, TENANT, TOKEN_FORM, {
          ...(presented === undefined ? {} : { client: presented }),
        });
        assert.equal(answer.json["error"], error, answer.body.toString());
        assert.deepEqual(answer.json["error_codes"], [code]);
      });
    }

    it("a revoked key, whatever certificate it has", async () => {
      const spki = key.publicKey.export({ format: "der", type: "spki" });
      await emulator.revoke({ keys: [createHash("sha256").update(spki).digest("base64url")] });
      const answer = await post(TOKEN_FORM, { client: await mint(emulator, key) });
      assert.deepEqual(answer.json["error_codes"], [1000610]);
    });

    it("an unknown tenant", async () => {
      const answer = await postToken(emulator, USER, TOKEN_FORM, { client });
      assert.deepEqual(answer.json["error_codes"], [90002]);
    });

    it("another media type", async () => {
      const answer = await post(TOKEN_FORM, { headers: { "content-type": "application/json" } });
      assert.equal(answer.status, 400);
    });

    it("a GET", async () => {
      const url = `${emulator.mtls}/${TENANT}/oauth2/v2.0/token`;
      assert.equal((await send(url, { ca: emulator.ca, client })).status, 405);
    });

    it("a certificate over TLS 1.3 where it doesn't ask for one there", async () => {
      await emulator.set({ certificateOverTls13: false });
      const over13 = await post(TOKEN_FORM, { version: "TLSv1.3" });
      assert.deepEqual(over13.json["error_codes"], [392200]);
      assert.equal((await post(TOKEN_FORM, { version: "TLSv1.2" })).status, 200);
    });
  });

  it("takes a certificate issued after the others were revoked", async () => {
    await emulator.revoke({ issued: true });
    assert.equal((await post(TOKEN_FORM)).status, 401);
    assert.equal((await post(TOKEN_FORM, { client: await mint(emulator, key) })).status, 200);
  });
});
