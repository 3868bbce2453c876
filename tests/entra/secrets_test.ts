/**
 * What a confidential client says when something goes wrong: nothing that would help a thief.
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { inspect } from "node:util";
import type { ConfidentialClientOptions, EntraBindingWish } from "../../src/entra/options.ts";
import { fakeJwt } from "../support/fake_azure.ts";
import { settling } from "../support/waiting.ts";
import {
  assertionBoundTo,
  type EntraScript,
  fakeEntra,
  newCredential,
  rejected,
  SCOPE,
  type SentToEntra,
  status,
} from "./support/fake_entra.ts";

/** Everything that a log could show of a value. */
function shown(...values: unknown[]): string {
  return values.map((value) =>
    inspect(value, { depth: 20, showHidden: true, maxStringLength: null }) + JSON.stringify(value)
  ).join("\n");
}

/** Fails if the text has one of the secrets, or a part of a JWT that makes it one. */
function assertFreeOf(text: string, secrets: readonly string[]): void {
  for (const secret of secrets) {
    for (const part of new Set([secret, secret.split(".").at(-1)!])) {
      assert.ok(part.length > 3 && !text.includes(part), `${part.slice(0, 12)}… is shown`);
    }
  }
}

const own = await newCredential({ algorithm: "RSA-2048" });
const bound = { assertion: assertionBoundTo(own.thumbprint), credential: own };
const unbound = { assertion: assertionBoundTo(undefined) };

const MODES: [name: string, wish: EntraBindingWish, options: Partial<ConfidentialClientOptions>][] =
  [
    ["A", "mtls_pop", { credential: own }],
    ["B", "mtls_pop", { credential: { assertion: () => bound } }],
    ["C", "bearer", { credential: { assertion: () => bound } }],
    ["D", "bearer", { credential: { assertion: () => unbound } }],
    ["E", "bearer", { credential: own, sendCertificateOverMtls: true }],
    ["x5c", "bearer", { credential: own }],
  ];

/** Answers that repeat what they were sent, or say more than they should. */
function indiscreet(token: string): [name: string, script: EntraScript][] {
  const repeating = (error: string) => (sent: SentToEntra) =>
    Response.json({
      error,
      error_description: `AADSTS1: ${JSON.stringify(sent.form)} ${sent.form["client_assertion"]}`,
    }, { status: 400 });
  return [
    ["repeats the request", repeating("invalid_request")],
    [
      "repeats the assertion as its error",
      (sent) => Response.json({ error: sent.form["client_assertion"] ?? "x" }, { status: 400 }),
    ],
    ["repeats it in plain text", (sent) => new Response(sent.body, { status: 400 })],
    ["repeats it with 500", (sent) => new Response(sent.body, { status: 500 })],
    ["refuses the certificate", rejected()],
    [
      "gives a token of another kind",
      status(200, {
        token_type: "pop",
        expires_in: 3600,
        access_token: token,
      }),
    ],
    [
      "gives a token bound to nobody known",
      status(200, {
        token_type: "mtls_pop",
        expires_in: 3600,
        access_token: token,
      }),
    ],
  ];
}

describe("an error, and every event before it", () => {
  const token = fakeJwt({ sub: "a-secret-subject", cnf: { "x5t#S256": "someone-else" } });
  for (const [name, wish, options] of MODES) {
    it(`of mode ${name} holds no assertion, token or key, whatever the server says`, async () => {
      for (const [what, script] of indiscreet(token)) {
        const entra = fakeEntra();
        const client = await entra.client(options);
        entra.always(name === "D" || name === "x5c" ? "login" : "mtls", script);
        const asked = client.getToken({ scope: SCOPE, binding: wish });
        const error = await settling(entra, asked).then(() => assert.fail(what), (error) => error);
        const assertions = entra.sent.map(({ form }) => form["client_assertion"] ?? token);
        assert.ok(entra.sent.length > 0);
        assertFreeOf(shown(error, ...entra.events), [token, ...assertions]);
      }
    });
  }

  it("holds nothing of what an assertion function gave instead of an assertion", async () => {
    for (const assertion of ["the-password is wrong", "the-password\n"]) {
      const entra = fakeEntra();
      const client = await entra.client({ credential: { assertion: () => ({ assertion }) } });
      const error = await client.getToken({ scope: SCOPE }).catch((error) => error);
      assert.equal(error.code, "invalid_client_assertion");
      assertFreeOf(shown(error, ...entra.events), ["the-password"]);
    }
  });

  it("holds nothing of a secret that was given for a credential", async () => {
    const entra = fakeEntra();
    const credential = "the-password" as unknown as ConfidentialClientOptions["credential"];
    const error = await entra.client({ credential }).catch((error) => error);
    assert.equal(error.code, "mtls_certificate_not_provided");
    assertFreeOf(shown(error), ["the-password"]);
  });
});
