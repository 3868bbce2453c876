/**
 * Finding out the region of this host, and using it (protocol.md sections 8.4, 10.10).
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { settling, until } from "../support/waiting.ts";
import {
  type EntraScript,
  type FakeEntra,
  fakeEntra,
  SCOPE,
  status,
} from "./support/fake_entra.ts";

/** Hosts that tokens came from, and queries to the metadata service. */
function asked(entra: FakeEntra): { hosts: string[]; queries: string[] } {
  const urls = (endpoint: string) =>
    entra.sent.filter((sent) => sent.endpoint === endpoint).map(({ url }) => new URL(url));
  return {
    hosts: urls("mtls").map(({ hostname }) => hostname),
    queries: urls("compute").map(({ search }) => search),
  };
}

const GLOBAL = "mtlsauth.microsoft.com";

describe("a region to be found out", () => {
  it("isn't looked for unless that is wanted", async () => {
    const entra = fakeEntra();
    entra.region = "westeurope";
    const environment = { REGION_NAME: "westus" };
    await (await entra.client({ environment })).getToken({ scope: SCOPE });
    await (await entra.client({ environment, region: "eastus" })).getToken({ scope: SCOPE });
    assert.deepEqual(asked(entra), { hosts: [GLOBAL, `eastus.${GLOBAL}`], queries: [] });
  });

  it("is the environment's, without asking anybody", async () => {
    const entra = fakeEntra();
    const environment = { REGION_NAME: "Region With Spaces" };
    await (await entra.client({ environment, region: "auto" })).getToken({ scope: SCOPE });
    assert.deepEqual(asked(entra), { hosts: [`regionwithspaces.${GLOBAL}`], queries: [] });
  });

  it("is asked of the metadata service when the environment is poisoned, then given up", async () => {
    const entra = fakeEntra();
    const environment = { REGION_NAME: "evil.example/" };
    const client = await entra.client({ environment, region: "auto" });
    await client.getToken({ scope: SCOPE });
    assert.deepEqual(asked(entra), { hosts: [GLOBAL], queries: ["?api-version=2021-02-01"] });
    const [{ headers } = { headers: new Headers() }] = entra.sent;
    assert.equal(headers.get("metadata"), "true");
    assert.equal(headers.get("x-ms-client-request-id"), null);
  });

  it("is asked of the metadata service where the environment says that is", async () => {
    const entra = fakeEntra();
    const urls: string[] = [];
    const client = await entra.client({
      region: "auto",
      environment: { AZURE_POD_IDENTITY_AUTHORITY_HOST: "http://127.0.0.1:8080" },
      fetch: (input) => {
        urls.push(new Request(input).url);
        return Promise.resolve(Response.json({ location: "westeurope" }));
      },
    });
    await client.getToken({ scope: SCOPE });
    assert.deepEqual(urls, [
      "http://127.0.0.1:8080/metadata/instance/compute?api-version=2021-02-01",
    ]);
    assert.deepEqual(asked(entra).hosts, [`westeurope.${GLOBAL}`]);
  });

  it("is asked for once, by however many, and remembered", async () => {
    const entra = fakeEntra();
    entra.region = "westeurope";
    const client = await entra.client({ region: "auto" });
    await Promise.all(
      Array.from({ length: 20 }, (_, i) => client.getToken({ scope: `api://${i}/x` })),
    );
    const { hosts, queries } = asked(entra);
    assert.deepEqual([new Set(hosts).size, hosts[0]], [1, `westeurope.${GLOBAL}`]);
    assert.equal(queries.length, 1);
  });

  const useless: [name: string, script: EntraScript, requests: number][] = [
    ["404", status(404), 1],
    ["408", status(408), 1],
    ["500 for ever", status(500), 4],
    ["410 for ever", status(410), 4],
    ["429 for ever", status(429), 4],
    ["nothing", () => new Response(""), 1],
    ["no JSON", () => new Response("<html>"), 1],
    ["an array", () => new Response("[]"), 1],
    ["no location", () => Response.json({}), 1],
    ["a region with blanks", () => Response.json({ location: "West Europe" }), 1],
    ["a region that is a host", () => Response.json({ location: "evil.example" }), 1],
    [
      "a redirect",
      () => new Response(null, { status: 302, headers: { location: "http://evil.example/" } }),
      1,
    ],
    ["400 for ever, without versions", status(400), 2],
    ["400 for ever, with an empty list", status(400, { "newest-versions": [] }), 2],
    ["400 for ever, with versions", status(400, { "newest-versions": ["2020-10-01"] }), 3],
    ["an endless body", () => {
      const chunk = new Uint8Array(65_536);
      return new Response(new ReadableStream({ pull: (sink) => sink.enqueue(chunk) }));
    }, 1],
  ];
  for (const [name, script, requests] of useless) {
    it(`that isn't told by ${name} means the global endpoint`, async () => {
      const entra = fakeEntra();
      const client = await entra.client({ region: "auto" });
      entra.always("compute", script);
      await settling(entra, client.getToken({ scope: SCOPE }));
      const { hosts, queries } = asked(entra);
      assert.deepEqual([hosts, queries.length], [[GLOBAL], requests]);
    });
  }

  it("of a host without metadata service costs two seconds, once in five minutes", async () => {
    const entra = fakeEntra();
    const client = await entra.client({ region: "auto" });
    entra.always("compute", () => new Promise(() => {}));
    const first = client.getToken({ scope: SCOPE });
    await until(() => entra.sent.length === 1);
    await entra.clock.advance(2000);
    await first;
    await client.getToken({ scope: SCOPE, forceRefresh: true });
    assert.equal(asked(entra).queries.length, 1);
    entra.always("compute", () => Response.json({ location: "westeurope" }));
    await entra.clock.advance(5 * 60_000);
    await client.getToken({ scope: SCOPE, forceRefresh: true });
    assert.deepEqual(asked(entra).hosts, [GLOBAL, GLOBAL, `westeurope.${GLOBAL}`]);
  });

  it("is told after one failure", async () => {
    const entra = fakeEntra();
    entra.region = "westeurope";
    const client = await entra.client({ region: "auto" });
    entra.script("compute", status(500));
    await settling(entra, client.getToken({ scope: SCOPE }));
    const { hosts, queries } = asked(entra);
    assert.deepEqual([hosts, queries.length], [[`westeurope.${GLOBAL}`], 2]);
  });

  it("is asked for in the version that the metadata service offers", async () => {
    const entra = fakeEntra();
    entra.region = "westeurope";
    const client = await entra.client({ region: "auto" });
    entra.script(
      "compute",
      status(400, { error: "Bad request" }),
      status(400, { error: "Bad request", "newest-versions": ["2020-10-01", "2020-09-01"] }),
    );
    await client.getToken({ scope: SCOPE });
    assert.deepEqual(asked(entra), {
      hosts: [`westeurope.${GLOBAL}`],
      queries: ["?api-version=2021-02-01", "", "?api-version=2020-10-01"],
    });
  });

  it("doesn't keep a call that is called off", async () => {
    const entra = fakeEntra();
    const client = await entra.client({ region: "auto" });
    entra.always("compute", () => new Promise(() => {}));
    const controller = new AbortController();
    const call = client.getToken({ scope: SCOPE, signal: controller.signal });
    call.catch(() => {});
    await until(() => entra.sent.length === 1);
    controller.abort();
    await assert.rejects(call, { name: "AbortError" });
    assert.deepEqual(asked(entra).hosts, []);
  });
});

describe("a token of one region", () => {
  it("is the same as one of the global endpoint: the region is no part of its key", async () => {
    const entra = fakeEntra();
    const client = await entra.client({ region: "auto" });
    await client.getToken({ scope: SCOPE });
    entra.region = "westeurope";
    await entra.clock.advance(6 * 60_000);
    assert.equal((await client.getToken({ scope: SCOPE })).fromCache, true);
  });
});
