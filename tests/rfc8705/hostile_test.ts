/**
 * Answers that are not what they should be: a clear code each, and nothing kept.
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isKeyboundError } from "../../src/errors.ts";
import { fakeJwt } from "../support/fake_azure.ts";
import { settling } from "../support/waiting.ts";
import {
  changed,
  fakeServer,
  large,
  redirect,
  RESOURCE,
  type Script,
  status,
  tokenOf,
} from "./support/fake_server.ts";

const BAD = "invalid_token_response";

const TOKEN: [string, Script, string][] = [
  ["nothing", () => new Response(""), BAD],
  ["no JSON", () => new Response("<html>"), BAD],
  ["an array", () => new Response("[]"), BAD],
  ["5 MB", large(), "response_too_large"],
  ["redirects without end", redirect(), "redirect_refused"],
  ["no access_token", changed({ access_token: undefined }), BAD],
  ["an access_token that breaks a header", changed({ access_token: "a\r\nX: y" }), BAD],
  ["no token_type", changed({ token_type: undefined }), "token_type_missing"],
  ["token_type DPoP", changed({ token_type: "DPoP" }), "token_type_mismatch"],
  ["token_type constructor", changed({ token_type: "constructor" }), "token_type_mismatch"],
  ["a token_type that is an object", changed({ token_type: {} }), "token_type_mismatch"],
  ["expires_in 0", changed({ expires_in: 0 }), BAD],
  ["a negative expires_in", changed({ expires_in: -1 }), BAD],
  ["an expires_in for ever", changed({ expires_in: 1e300 }), BAD],
  ["a refresh_token that is a number", changed({ refresh_token: 1 }), BAD],
  ["a scope that is an array", changed({ scope: ["a"] }), BAD],
  ["a token without cnf", tokenOf({ cnf: undefined }), "token_not_bound"],
  ["a token with an empty cnf", tokenOf({ cnf: {} }), "token_not_bound"],
  ["a token bound by DPoP", tokenOf({ cnf: { jkt: "x" } }), "token_not_bound"],
  [
    "a token bound to another certificate",
    tokenOf({ cnf: { "x5t#S256": "A".repeat(43) } }),
    "token_not_bound",
  ],
  [
    "a token for another resource",
    tokenOf({ aud: "https://evil.example" }),
    "token_audience_mismatch",
  ],
  ["401 invalid_client", status(401, { error: "invalid_client" }), "invalid_client"],
  ["400 invalid_target", status(400, { error: "invalid_target" }), "invalid_target"],
  [
    "400 with a web page",
    () => new Response("<html>", { status: 400 }),
    "non_parsable_oauth_error",
  ],
  ["500 for ever", status(500), "service_not_available"],
];

describe("the token endpoint answering with", () => {
  for (const [name, script, code] of TOKEN) {
    it(`${name} gives ${code}, and the next answer is taken`, async () => {
      const server = await fakeServer();
      const client = server.client();
      server.always("token", script);
      const failing = settling(server, client.getToken({ resource: RESOURCE }));
      await assert.rejects(failing, (error) => {
        assert.ok(isKeyboundError(error));
        assert.deepEqual([error.code, error.source], [code, "TokenEndpoint"]);
        assert.match(error.correlationId ?? "", /^[\w-]{36}$/);
        return true;
      });
      server.always("token", undefined);
      assert.equal((await client.getToken({ resource: RESOURCE })).fromCache, false);
    });
  }

  it("a token for one of the resources is taken, and for an application id", async () => {
    for (const aud of [`${RESOURCE}/v1`, ["x", RESOURCE], "app-id", undefined]) {
      const server = await fakeServer();
      server.script("token", tokenOf({ aud }));
      await server.client().getToken({ resource: ["https://b.example", RESOURCE] });
    }
  });
});

describe("an opaque token", () => {
  const opaque = changed({ access_token: "opaque" });

  it("passes unconfirmed where nobody is to be asked", async () => {
    const server = await fakeServer();
    server.script("token", opaque);
    assert.equal((await server.client().getToken()).confirmed, false);
    assert.equal(server.counts(), "1+1+0+0");
  });

  it("is asked about at the endpoint for certificates, by the certificate it is bound to", async () => {
    const server = await fakeServer();
    server.script("token", opaque);
    const token = await server.client({ introspect: true }).getToken();
    assert.equal(token.confirmed, true);
    const { url, form, thumbprint } = server.sent.at(-1)!;
    assert.equal(url, "https://mtls.as.example/introspect");
    assert.deepEqual(Object.fromEntries(form), {
      token: "opaque",
      token_type_hint: "access_token",
      client_id: "client",
    });
    assert.equal(thumbprint, server.credential.thumbprint);
  });

  it("isn't asked about where it is a JWT", async () => {
    const server = await fakeServer();
    await server.client({ introspect: true }).getToken();
    assert.equal(server.counts(), "1+1+0+0");
  });

  const answers: [string, Script, string][] = [
    ["that it isn't active", status(200, { active: false }), BAD],
    ["nothing that can be read", () => new Response("<html>"), BAD],
    ["yes by a word", changed({ active: "true" }), BAD],
    ["that it isn't bound", changed({ cnf: undefined }), "token_not_bound"],
    ["that it is another's", changed({ cnf: { "x5t#S256": "x" } }), "token_not_bound"],
    ["5 MB", large(), "response_too_large"],
    ["redirects without end", redirect(), "redirect_refused"],
    ["401", status(401, { error: "invalid_client" }), "invalid_client"],
  ];
  for (const [name, script, code] of answers) {
    it(`of which the server says ${name} gives ${code} and isn't kept`, async () => {
      const server = await fakeServer();
      const client = server.client({ introspect: true });
      server.always("token", opaque);
      server.script("introspection", script);
      await assert.rejects(client.getToken(), { code, source: "IntrospectionEndpoint" });
      assert.equal((await client.getToken()).fromCache, false);
    });
  }

  it("is refused where there is nobody to ask", async () => {
    const server = await fakeServer();
    server.always("token", opaque);
    server.always(
      "discovery",
      changed({ introspection_endpoint: undefined, mtls_endpoint_aliases: undefined }),
    );
    const client = server.client({ introspect: true });
    await assert.rejects(client.getToken(), { code: "invalid_server_metadata" });
  });
});

describe("errors and events", () => {
  it("hold no refresh token or opaque token that the server repeats", async () => {
    const [refresh_token, access_token] = ["refresh-0815", "opaque-4711"];
    const repeating = (said: string) =>
      status(400, { error: "invalid_request", error_description: `unknown: "${said}"`, said });
    const server = await fakeServer();
    const client = server.client();
    server.script("token", changed({ refresh_token }), repeating(refresh_token));
    await client.getToken();
    const introspecting = server.client({ introspect: true });
    const failures = [
      [client.getToken({ forceRefresh: true }), refresh_token],
      [introspecting.getToken(), access_token],
    ] as const;
    server.script("token", changed({ access_token }));
    server.script("introspection", repeating(access_token));
    for (const [failure, secret] of failures) {
      await assert.rejects(failure, (error: Error) => {
        const shown = `${error.stack} ${JSON.stringify(error)} ${JSON.stringify(server.events)}`;
        assert.equal(shown.includes(secret), false, shown);
        assert.match(shown, /unknown: /);
        return true;
      });
    }
  });

  it("hold no token, whatever the server says", async () => {
    const secret = fakeJwt({ sub: "a-secret-subject", cnf: {} });
    const server = await fakeServer();
    const client = server.client();
    const answers: Script[] = [
      changed({ access_token: secret }),
      status(400, { error: "invalid_request", error_description: `no: ${secret}` }),
      status(400, { error: secret }),
      status(200, { token_type: secret, access_token: "a", expires_in: 1 }),
    ];
    for (const answer of answers) {
      server.script("token", answer);
      await assert.rejects(client.getToken(), (error: Error) => {
        const shown = `${error.stack} ${JSON.stringify(error)} ${JSON.stringify(server.events)}`;
        assert.equal(shown.includes(secret), false);
        return true;
      });
    }
  });
});
