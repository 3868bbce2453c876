/**
 * `identity.fetch` with a bearer token, or whichever the host has.
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isKeyboundError } from "../../src/errors.ts";
import type { BoundRequestInit } from "../../src/managed_identity_options.ts";
import { base64, utf8 } from "../../src/encoding.ts";
import { VAULT } from "../support/fake_azure.ts";
import { until } from "../support/waiting.ts";
import { bearerHost, ENVIRONMENTS, numbered, withoutImdsV2 } from "./support/bearer_host.ts";

const URL_ = "https://v.example/path?secret=in-the-url";
const CLAIMS = '{"access_token":{"nbf":{"essential":true,"value":"1700000000"}}}';
const CHALLENGE = `Bearer error="insufficient_claims", claims="${base64(utf8(CLAIMS))}"`;
const challenge = (header = CHALLENGE) =>
  new Response("challenged", { status: 401, headers: { "www-authenticate": header } });

const WISHES = ["bearer", "preferred"] as const;

for (const binding of WISHES) {
  const options: BoundRequestInit = { resource: VAULT, binding };
  const host = () => bearerHost(ENVIRONMENTS.AppService);

  describe(`a request with a ${binding} token of a host that binds none`, () => {
    it("carries the token in place of the caller's, and all else of the caller's", async () => {
      const { identity: make, resource, sent } = await host();
      const response = await make().fetch(URL_, {
        ...options,
        method: "POST",
        headers: { authorization: "Basic mine", "x-mine": "1" },
        body: "body",
      });
      assert.equal(await response.text(), "resource");
      assert.equal(resource.length, 1);
      const [{ url, method, headers, body, redirect }] = resource as [typeof resource[0]];
      assert.deepEqual([url, method, body, redirect], [URL_, "POST", "body", "manual"]);
      assert.equal(headers.authorization, "Bearer token-0");
      assert.equal(headers["x-mine"], "1");
      assert.equal(headers["x-ms-tokenboundauth"], undefined);
      assert.equal(sent.length, 1);
    });

    it("takes a Request, a URL, and a URL without a path", async () => {
      const { identity: make, resource } = await host();
      const identity = make();
      await identity.fetch(new URL("https://v.example"), options);
      await identity.fetch("https://v.example", options);
      await identity.fetch("HTTPS://V.example?q", options);
      await identity.fetch(new Request("https://v.example", { method: "PUT", body: "b" }), options);
      assert.deepEqual(resource.map(({ url, method, body }) => [url, method, body]), [
        ["https://v.example/", "GET", ""],
        ["https://v.example/", "GET", ""],
        ["https://v.example/?q", "GET", ""],
        ["https://v.example/", "PUT", "b"],
      ]);
    });

    it("goes over https only, which is seen before any request", async () => {
      const { identity: make, resource, sent, azure } = await host();
      const urls = [
        "http://v.example/",
        "ws://v.example/",
        "https://user:password@v.example/",
        "data:,x",
        "/relative",
        "",
      ];
      for (const url of urls) {
        await assert.rejects(make().fetch(url, options), (error) => {
          assert.ok(isKeyboundError(error, "invalid_argument"), String(error));
          assert.ok(!`${error.message} ${error.stack}`.includes("password"));
          return true;
        });
      }
      const request = new Request("http://v.example/");
      await assert.rejects(make().fetch(request, options), { code: "invalid_argument" });
      assert.deepEqual([resource.length, sent.length, azure.sent.length], [0, 0, 0]);
    });

    it("is sent again once after a challenge, with a new token", async () => {
      const { identity: make, settings, resource, sent } = await host();
      settings.resource = (i) => i === 0 ? challenge() : new Response(`answer ${i}`);
      const identity = make();
      const response = await identity.fetch(URL_, { ...options, method: "POST", body: "body" });
      assert.equal(await response.text(), "answer 1");
      assert.deepEqual(resource.map(({ headers, body }) => [headers.authorization, body]), [
        ["Bearer token-0", "body"],
        ["Bearer token-1", "body"],
      ]);
      assert.equal(sent.length, 2);
      await identity.fetch(URL_, options);
      assert.equal(resource[2]!.headers.authorization, "Bearer token-1");
    });

    it("isn't sent a third time", async () => {
      const { identity: make, settings, resource, sent } = await host();
      settings.resource = () => challenge();
      const response = await make().fetch(URL_, options);
      assert.deepEqual([response.status, resource.length, sent.length], [401, 2, 2]);
    });

    it("isn't sent again for another 401, or where the body was a stream", async () => {
      const { identity: make, settings, resource, sent } = await host();
      for (
        const header of ["Bearer", 'Bearer error="invalid_token"', CHALLENGE.replace(/s="/, 's="!')]
      ) {
        settings.resource = () => challenge(header);
        assert.equal((await make().fetch(URL_, options)).status, 401);
      }
      assert.equal(resource.length, 3);
      settings.resource = () => challenge();
      const body = new Blob(["streamed"]).stream();
      const streamed = { ...options, method: "POST", body, duplex: "half" } as BoundRequestInit;
      assert.equal((await make().fetch(URL_, streamed)).status, 401);
      assert.equal(resource.at(-1)!.body, "streamed");
      assert.deepEqual([resource.length, sent.length], [4, 4]);
    });

    it("asks for one token, forced or short-lived as it may be", async () => {
      const { identity: make, settings, sent } = await host();
      const identity = make();
      await identity.fetch(URL_, { ...options, forceRefresh: true });
      assert.equal(sent.length, 1);
      settings.source = numbered(60);
      await identity.fetch(URL_, { ...options, resource: "https://short.example" });
      assert.equal(sent.length, 2);
    });

    it("forced and challenged asks for two", async () => {
      const { identity: make, settings, sent } = await host();
      settings.resource = (i) => i === 0 ? challenge() : new Response();
      await make().fetch(URL_, { ...options, forceRefresh: true });
      assert.equal(sent.length, 2);
    });

    it("that can't be sent is network_unreachable, without the URL or what was sent", async () => {
      const { identity: make, settings } = await host();
      const cause = Object.assign(new Error(`connect ${URL_}`), { code: "ECONNREFUSED" });
      for (
        const [error, words] of [
          [new TypeError(`fetch of ${URL_} failed`, { cause }), /\(ECONNREFUSED\)/],
          [new TypeError(URL_, { cause: { code: URL_ } }), /runtime\.$/],
          [undefined, /runtime\.$/],
        ] as const
      ) {
        settings.resource = () => Promise.reject(error);
        await assert.rejects(make().fetch(URL_, options), (error) => {
          assert.ok(isKeyboundError(error, "network_unreachable"), String(error));
          assert.match(error.message, words);
          assert.deepEqual([error.retryable, error.source, error.cause], [
            true,
            "Resource",
            undefined,
          ]);
          assert.match(error.correlationId!, /^[0-9a-f-]{36}$/);
          assert.ok(!/secret|token-0/.test(`${error.message} ${error.stack}`));
          return true;
        });
      }
    });

    it("ends with the caller's signal, whatever is under way", async () => {
      const reason = new Error("no longer wanted");
      for (
        const [where, viaRequest] of [["source", false], ["resource", false], ["resource", true]]
      ) {
        const { identity: make, settings, resource, sent } = await host();
        const pending = (_i: number, _request: unknown, signal: AbortSignal) =>
          new Promise<Response>((_resolve, reject) => {
            signal.addEventListener("abort", () => reject(new Error("runtime's own")));
          });
        settings[where as "source"] = pending;
        const controller = new AbortController();
        const { signal } = controller;
        const asked = viaRequest === true
          ? make().fetch(new Request(URL_, { signal }), options)
          : make().fetch(URL_, { ...options, signal });
        asked.catch(() => {});
        await until(() => (where === "source" ? sent : resource).length === 1);
        controller.abort(reason);
        await assert.rejects(asked, reason);
      }
      const aborted = { ...options, signal: AbortSignal.abort(reason) };
      await assert.rejects((await host()).identity().fetch(URL_, aborted), reason);
    });

    it("is sent under the caller's own signal, which the body then follows, too", async () => {
      const { identity: make } = await host();
      const followed: unknown[] = [];
      const identity = make({
        fetch: (input, init) => {
          const isResource = input instanceof Request && new URL(input.url).host === "v.example";
          if (isResource) followed.push(init?.signal);
          return Promise.resolve(Response.json({ access_token: "t", expires_on: 3600 }));
        },
      });
      const { signal } = new AbortController();
      await identity.fetch(URL_, { ...options, signal });
      const request = new Request(URL_, { signal });
      await identity.fetch(request, options);
      assert.deepEqual(
        followed.map((one) => [signal, request.signal].includes(one as AbortSignal)),
        [
          true,
          true,
        ],
      );
    });

    it("of a closed identity isn't sent", async () => {
      const { identity: make, resource } = await host();
      const identity = make();
      await identity.fetch(URL_, options);
      await identity.close();
      await assert.rejects(identity.fetch(URL_, options), { code: "closed" });
      assert.equal(resource.length, 1);
    });
  });
}

describe("a request with a preferred token", () => {
  const options = { resource: VAULT, binding: "preferred" } as const;

  it("goes with key and token where the host binds them, its body untouched", async () => {
    const { identity: make, azure, resource } = await bearerHost(ENVIRONMENTS.Imds);
    const request = new Request(URL_, { method: "POST", body: "body" });
    const response = await make().fetch(request, { ...options, forceRefresh: true });
    assert.equal(response.status, 200);
    assert.equal(azure.counts(), "1+1+1+1");
    const sent = azure.sent.at(-1)!;
    assert.deepEqual([sent.url, sent.body], [URL_, "body"]);
    assert.match(sent.headers.get("authorization")!, /^mtls_pop /);
    assert.ok(sent.thumbprint !== undefined);
    assert.equal(resource.length, 0);
  });

  it("goes with a bearer token where the host has IMDSv1 only", async () => {
    const { identity: make, azure, resource, sent } = withoutImdsV2(
      await bearerHost(ENVIRONMENTS.Imds),
    );
    const correlationId = "22222222-2222-4333-8444-555555555555";
    await make().fetch(URL_, { ...options, correlationId });
    assert.equal(resource[0]!.headers.authorization, "Bearer token-0");
    assert.equal(sent[0]!.headers["x-ms-client-request-id"], correlationId);
    assert.equal(azure.counts(), "1+0+0+0");
  });

  it("never falls back to plain fetch after a failure with the key", async () => {
    const { identity: make, azure, resource, sent } = await bearerHost(ENVIRONMENTS.Imds);
    azure.always("resource", () => challenge());
    assert.equal((await make().fetch(URL_, options)).status, 401);
    assert.equal(azure.counts(), "1+1+2+2");
    assert.deepEqual([resource.length, sent.length], [0, 0]);
  });
});

describe("a request with a bound token", () => {
  it("is what is sent where nothing else is asked for", async () => {
    const { identity: make, azure, resource } = await bearerHost(ENVIRONMENTS.Imds);
    await make().fetch(URL_, { resource: VAULT });
    assert.equal(azure.counts(), "1+1+1+1");
    assert.equal(resource.length, 0);
  });
});
