/**
 * Answers that are not what they should be, met while something good is there: it is served on.
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  DAY,
  type FakeAzure,
  fakeAzure,
  type Script,
  status,
  VAULT,
  wire,
} from "../support/fake_azure.ts";
import { settling, until } from "../support/waiting.ts";
import {
  changed,
  endless,
  HOSTILE_ANSWERS,
  otherKeysCertificate,
  redirect,
} from "./support/hostile_answers.ts";

const OTHER = "https://management.azure.com";
const ALIAS = "system_assigned_managed_identity#att=0";

/** An answer of `issuecredential`, or what makes the regular one wrong. */
type Row = readonly [name: string, wrong: Script | Partial<FakeAzure["settings"]>, code: string];

const CREDENTIALS: readonly Row[] = [
  ["400", status(400, { error: "invalid_request" }), "managed_identity_request_failed"],
  ["a certificate over another key", otherKeysCertificate(), "invalid_certificate"],
  ["a certificate that has expired", { certificateBackdate: 8 * DAY }, "invalid_certificate"],
  [
    "an endpoint with NUL",
    changed({ mtls_authentication_endpoint: "https://h\0" }),
    "managed_identity_request_failed",
  ],
  ["an endless body", endless(), "response_too_large"],
  ["a redirect", redirect(), "redirect_refused"],
];

/** A host with a token of 6 days for `VAULT`, whose `issuecredential` goes wrong from now on. */
async function warmHost(wrong: Row[1]) {
  const azure = await fakeAzure();
  azure.settings.tokenLifetime = 6 * DAY;
  azure.settings.refreshIn = 6 * DAY;
  const identity = azure.identity();
  const first = await identity.getToken({ resource: VAULT });
  const goWrong = () => {
    if (typeof wrong === "function") azure.always("issuecredential", wrong);
    else Object.assign(azure.settings, wrong);
  };
  const assertServed = async () => {
    const cached = await identity.getToken({ resource: VAULT });
    assert.equal(cached.accessToken, first.accessToken);
    assert.equal(cached.binding, first.binding);
    assert.equal(cached.fromCache, true);
    const fresh = await identity.getToken({ resource: "https://graph.microsoft.com" });
    assert.equal(fresh.binding, first.binding);
    assert.equal(azure.sent.at(-1)!.thumbprint, first.binding.credential.thumbprint);
    assert.equal(azure.events.some(({ type }) => type === "evict"), false);
    const stored = await azure.store.list(ALIAS);
    assert.deepEqual(
      stored.map(({ certificate }) => certificate),
      [first.binding.credential.leaf.der],
    );
  };
  return { azure, identity, goWrong, assertServed };
}

for (const [name, wrong, code] of CREDENTIALS) {
  describe(`issuecredential answering with ${name}`, () => {
    it("to a renewal leaves certificate and tokens in use", async () => {
      const { azure, identity, goWrong, assertServed } = await warmHost(wrong);
      goWrong();
      await azure.clock.advance(3.6 * DAY);
      await identity.getToken({ resource: OTHER });
      await until(() => azure.events.some(({ type }) => type === "renew"));
      const outcomes = azure.events.flatMap((event) =>
        event.type === "renew" ? [[event.outcome, event.code]] : []
      );
      assert.deepEqual(outcomes, [["failed", code]]);
      assert.equal(azure.counts().split("+")[1], "2");
      await assertServed();
    });

    it("to a healing leaves certificate and tokens in use", async () => {
      const { azure, identity, goWrong, assertServed } = await warmHost(wrong);
      goWrong();
      azure.script("token", wire({ alert: 42 }));
      await assert.rejects(identity.getToken({ resource: OTHER }), { name: "KeyboundError", code });
      assert.equal(azure.counts(), "2+2+2+0");
      await assertServed();
    });
  });
}

describe("the token of another resource", () => {
  for (const [name, script, code] of HOSTILE_ANSWERS.token) {
    it(`outlives a token endpoint answering with ${name}`, async () => {
      const azure = await fakeAzure();
      const identity = azure.identity();
      const good = await identity.getToken({ resource: OTHER });
      azure.always("token", script);
      await assert.rejects(settling(azure, identity.getToken({ resource: VAULT })), { code });
      azure.forget();
      const again = await identity.getToken({ resource: OTHER });
      assert.equal(again.accessToken, good.accessToken);
      assert.equal(again.binding, good.binding);
      assert.equal(azure.counts(), "0+0+0+0");
    });
  }
});
