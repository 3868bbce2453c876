/**
 * Which requests get a token and which don't, and the pair of both at the emulator.
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { detect } from "../../../backends/detect.ts";
import { spawnEmulator } from "../../../emulator/mod.ts";
import { type BoundRequestInit, type ManagedIdentity, managedIdentity } from "../../../mod.ts";
import { createFetch, type Destinations } from "../../../plugins/fetch/mod.ts";
import type { ConfidentialClient } from "../../../src/entra/mod.ts";
import type { Rfc8705Client } from "../../../src/rfc8705/mod.ts";
import { assertExample } from "../../edge/support/examples.ts";

const ORDERS = "https://orders.example";

interface Sent {
  readonly url: string;
  readonly init: BoundRequestInit;
}

function recorded(destinations: Destinations): [typeof globalThis.fetch, Sent[]] {
  const sent: Sent[] = [];
  const identity: Pick<ManagedIdentity, "fetch"> = {
    fetch(input, init) {
      sent.push({ url: input instanceof Request ? input.url : String(input), init });
      return Promise.resolve(new Response("bound"));
    },
  };
  return [createFetch(identity, { resource: ORDERS, ...destinations }), sent];
}

describe("createFetch", () => {
  it("refuses to be made without saying where tokens may go", () => {
    const wrong: unknown[] = [
      undefined,
      [],
      ORDERS,
      ["http://orders.example"],
      ["orders.example"],
      [`${ORDERS}/v1`],
      ["https://user@orders.example"],
      ["https://*.example"],
      [ORDERS, ""],
    ];
    for (const origins of wrong) {
      assert.throws(() => recorded({ origins: origins as string[] }), { code: "invalid_argument" });
    }
  });

  const others = [
    "https://orders.example.evil.example/",
    "https://orders.example:8443/",
    "https://orders.example@evil.example/",
    "https://evil.example/?https://orders.example",
    "https://evil.example\\@orders.example/",
    "http://orders.example/",
    "data:text/plain,x",
  ];
  for (const url of others) {
    it(`sends no token to ${url}`, async () => {
      const [fetch, sent] = recorded({ origins: [ORDERS] });
      for (const input of [url, new URL(url), ...(url.includes("@") ? [] : [new Request(url)])]) {
        await assert.rejects(fetch(input), { code: "invalid_argument" });
      }
      assert.deepEqual(sent, []);
    });
  }

  it("refuses what is no absolute URL without repeating it", async () => {
    const [fetch] = recorded({ origins: () => true });
    await assert.rejects(
      fetch("/secret-path"),
      (error: Error) => !/secret-path/.test(String(error)),
    );
  });

  it("adds what the token is asked with where it may go, and keeps the request", async () => {
    const [fetch, sent] = recorded({ origins: [`${ORDERS}/`, "https://OTHER.example:443"] });
    const response = await fetch(`${ORDERS}/1`, { method: "PUT", body: "x" });
    assert.equal(await response.text(), "bound");
    await fetch(new URL("https://other.example/2"));
    await fetch(new Request(`${ORDERS}/3`));
    assert.deepEqual(sent, [
      { url: `${ORDERS}/1`, init: { method: "PUT", body: "x", resource: ORDERS } },
      { url: "https://other.example/2", init: { resource: ORDERS } },
      { url: `${ORDERS}/3`, init: { resource: ORDERS } },
    ]);
  });

  it("asks a function, which must say true, about the very URL that is sent", async () => {
    const [fetch, sent] = recorded({
      origins: (url) => {
        const isAllowed = url.hostname === "orders.example";
        url.hostname = "evil.example";
        return isAllowed;
      },
    });
    await fetch(`${ORDERS}/1`);
    assert.equal(sent[0]!.url, `${ORDERS}/1`);
    const [truthy] = recorded({ origins: (() => "yes") as unknown as () => boolean });
    await assert.rejects(truthy(ORDERS), { code: "invalid_argument" });
  });

  it("sends the rest elsewhere as it is, if there is an elsewhere", async () => {
    const seen: unknown[] = [];
    const [fetch, sent] = recorded({
      origins: [ORDERS],
      elsewhere: ((input: URL, init?: RequestInit) => {
        seen.push(input.href, init);
        return Promise.resolve(new Response("plain"));
      }) as typeof globalThis.fetch,
    });
    const init = { headers: { "x-test": "1" } };
    assert.equal(await (await fetch("https://evil.example/", init)).text(), "plain");
    assert.deepEqual(seen, ["https://evil.example/", init]);
    assert.deepEqual(sent, []);
  });

  it("takes an application's client and one of RFC 8705 with their own questions", async () => {
    const asked: object[] = [];
    const client = {
      fetch: (_input: unknown, init: object) => {
        asked.push(init);
        return Promise.resolve(new Response());
      },
    };
    const origins = [ORDERS];
    const application: Pick<ConfidentialClient, "fetch"> = client;
    const other: Pick<Rfc8705Client, "fetch"> = client;
    const fetches = [
      createFetch(application, { origins, scope: `${ORDERS}/.default`, tenantId: "t" }),
      createFetch(other, { origins, scope: "read", resource: [ORDERS] }),
      createFetch(other, { origins }),
    ];
    for (const fetch of fetches) await fetch(ORDERS);
    assert.deepEqual(asked, [
      { scope: `${ORDERS}/.default`, tenantId: "t" },
      { scope: "read", resource: [ORDERS] },
      {},
    ]);
  });

  it("sends token and certificate as one pair", async () => {
    const emulator = await spawnEmulator({ state: { acceptEc: true } });
    const environment = { AZURE_POD_IDENTITY_AUTHORITY_HOST: emulator.metadata };
    const host = await detect({ ca: emulator.ca, environment });
    const identity = managedIdentity({ ...host, keyAlgorithm: "P-256" });
    const url = `${emulator.resource}/orders`;
    const origin = emulator.resource;
    try {
      // Example fetch
      const fetch = createFetch(identity, {
        resource: "https://vault.azure.net",
        origins: [origin],
      });
      const response = await fetch(url);
      // End of example
      const { binding } = await identity.getToken({ resource: "https://vault.azure.net" });
      assert.equal(response.status, 200);
      assert.equal((await response.json()).thumbprint, binding.credential.thumbprint);
      await assert.rejects(fetch(emulator.mtls), { code: "invalid_argument" });
    } finally {
      await identity.close();
      await host.close();
      await emulator.close();
    }
  });

  it("is what the documentation shows", async () => {
    await assertExample(import.meta.url, "docs/agents.md", "fetch");
  });
});
