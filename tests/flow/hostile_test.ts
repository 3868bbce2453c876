/**
 * Answers that are not what they should be: a clear code each, nothing cached, nothing good lost.
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { webcryptoKeys } from "../../backends/webcrypto/mod.ts";
import { DAY, type FakeAzure, fakeAzure, VAULT } from "../support/fake_azure.ts";
import { settling } from "../support/waiting.ts";
import {
  changed,
  HOSTILE_ANSWERS,
  type HostileEndpoint,
  tokenWith,
} from "./support/hostile_answers.ts";

async function assertNothingLost(azure: FakeAzure): Promise<void> {
  assert.equal(azure.events.some(({ type }) => type === "evict"), false);
  const stored = await azure.store.list("system_assigned_managed_identity#att=0");
  assert.equal(stored.length, 1);
}

for (const endpoint of Object.keys(HOSTILE_ANSWERS) as HostileEndpoint[]) {
  describe(`${endpoint} answering with`, () => {
    for (const [name, script, code] of HOSTILE_ANSWERS[endpoint]) {
      it(`${name} gives ${code}, and the next answer is taken`, async () => {
        const azure = await fakeAzure();
        const identity = azure.identity();
        azure.always(endpoint, script);
        const failing = settling(azure, identity.getToken({ resource: VAULT }));
        await assert.rejects(failing, { name: "KeyboundError", code });
        azure.always(endpoint, undefined);
        const { fromCache } = await identity.getToken({ resource: VAULT });
        assert.equal(fromCache, false);
        await assertNothingLost(azure);
      });
    }
  });
}

describe("a certificate that isn't in force", () => {
  for (
    const [name, settings] of [
      ["has expired", { certificateBackdate: 8 * DAY }],
      ["expires this moment", { certificateBackdate: 7 * DAY }],
      ["will be valid later", { certificateBackdate: -(5 * 60_000 + 1000) }],
    ] as const
  ) {
    it(`because it ${name} is refused`, async () => {
      const azure = await fakeAzure();
      Object.assign(azure.settings, settings);
      const identity = azure.identity();
      await assert.rejects(identity.getToken({ resource: VAULT }), { code: "invalid_certificate" });
      assert.equal(azure.counts(), "1+1+0+0");
      azure.settings.certificateBackdate = 0;
      await identity.getToken({ resource: VAULT });
    });
  }

  it("but will be within 5 minutes is taken: clocks differ", async () => {
    const azure = await fakeAzure();
    azure.settings.certificateBackdate = -5 * 60_000;
    await azure.identity().getToken({ resource: VAULT });
  });
});

describe("a token that no client can read", () => {
  it("is taken: whether it is bound, only the resource can tell", async () => {
    for (const access_token of ["opaque", "a.b.c.d.e", "not.json.either"]) {
      const azure = await fakeAzure();
      azure.script("token", changed({ access_token }));
      const result = await azure.identity().getToken({ resource: VAULT });
      assert.equal(result.accessToken, access_token);
    }
  });

  it("for an application id or with another path is taken", async () => {
    for (const aud of ["cfa8b339-82a2-471a-a3c9-0fc0be7a4093", `${VAULT}/`, [VAULT, "x"]]) {
      const azure = await fakeAzure();
      azure.script("token", tokenWith({ aud }));
      await azure.identity().getToken({ resource: VAULT });
    }
  });
});

describe("what the caller gets wrong", () => {
  it("is said before any network", async () => {
    const azure = await fakeAzure();
    const identity = azure.identity();
    const rows: [Parameters<typeof identity.getToken>[0], string][] = [
      [{ resource: "" }, "invalid_argument"],
      [{ resource: "/.default" }, "invalid_argument"],
      [{ resource: "https://a b" }, "invalid_argument"],
      [{ resource: "https://a\0" }, "invalid_argument"],
      [{ resource: "x".repeat(2049) }, "invalid_argument"],
      [{ resource: undefined as unknown as string }, "invalid_argument"],
      [{ resource: VAULT, claims: "{" }, "invalid_json_claims_format"],
      [{ resource: VAULT, claims: "[]" }, "invalid_json_claims_format"],
      [{ resource: VAULT, clientClaims: '"text"' }, "invalid_json_claims_format"],
      [{ resource: VAULT, attest: true }, "attestation_failed"],
      [{ resource: VAULT, minStrength: "hardware" }, "min_strength_not_met"],
      [{ resource: VAULT, minStrength: "keyguard" }, "min_strength_not_met"],
    ];
    for (const [options, code] of rows) {
      await assert.rejects(identity.getToken(options), { code }, JSON.stringify(options));
    }
    assert.equal(azure.counts(), "0+0+0+0");
  });

  it("in the options is said at once", async () => {
    const azure = await fakeAzure();
    const rows: [Parameters<typeof azure.identity>[0], string][] = [
      [{ clientId: "a", objectId: "b" }, "invalid_argument"],
      [{ clientId: " " }, "invalid_argument"],
      [{ resourceId: "a|b" }, "invalid_argument"],
      [{ objectId: "a\n" }, "invalid_argument"],
      [{ metadataTimeout: 0 }, "invalid_argument"],
      [{ remintCooldown: Number.NaN }, "invalid_argument"],
      ...["localhost:80", "ftp://h", "http://u:p@h", "http://h\0"].map((host) =>
        [
          { environment: { AZURE_POD_IDENTITY_AUTHORITY_HOST: host } },
          "invalid_managed_identity_endpoint",
        ] as [
          Parameters<typeof azure.identity>[0],
          string,
        ]
      ),
    ];
    for (const [options, code] of rows) {
      assert.throws(() => azure.identity(options), { code }, JSON.stringify(options));
    }
  });

  it("a host without a transport for its keys is said before a certificate is asked for", async () => {
    const azure = await fakeAzure();
    const transport = { ...azure.transport, name: "picky", accepts: () => false };
    const identity = azure.identity({ transports: [transport] });
    await assert.rejects(identity.getToken({ resource: VAULT }), {
      code: "transport_not_available",
    });
    await assert.rejects(identity.getToken({ resource: VAULT }), {
      code: "transport_not_available",
    });
    assert.equal(azure.sent.some(({ endpoint }) => endpoint !== "getplatformmetadata"), false);
    const known = await fakeAzure({ keys: azure.keys });
    const again = known.identity({ transports: [transport] });
    await assert.rejects(again.getToken({ resource: VAULT }), { code: "transport_not_available" });
    assert.equal(known.counts(), "0+0+0+0", "a key that is there is asked before any network");
  });

  it("a key that no certificate is issued for is said by its code", async () => {
    const inner = webcryptoKeys();
    const azure = await fakeAzure({
      keys: {
        name: "odd",
        open: (id) => inner.open(id),
        create: async (id, options) => ({
          ...await inner.create(id, options),
          schemes: [],
          spki: new Uint8Array([48, 0]),
        }),
        remove: (id) => inner.remove(id),
      },
    });
    await assert.rejects(azure.identity().getToken({ resource: VAULT }), { name: "KeyboundError" });
    assert.equal(azure.counts().split("+")[1], "0");
  });
});
