/**
 * The HTTP client by the contract of `@azure/core-rest-pipeline`.
 *
 * @module
 */

import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { describe, it } from "node:test";
import {
  createPipelineRequest,
  type HttpClient,
  isRestError,
  type PipelineRequest,
} from "@azure/core-rest-pipeline";
import { type ErrorCode, KeyboundError } from "../../../mod.ts";
import {
  type AzureIdentity,
  type AzureRequestInit,
  httpClient,
  tokenCredential,
} from "../../../plugins/azure/mod.ts";

const URL = "https://service.example/x";

type Answer = (url: string, init: AzureRequestInit) => Response | Promise<Response>;

/** An identity that answers requests by this function. */
function identityOf(answer: Answer): AzureIdentity {
  return {
    getToken: () => Promise.resolve({ accessToken: "t", tokenType: "mtls_pop", expiresOn: 1 }),
    fetch: async (url, init) => await answer(url, init),
  };
}

const refusing = (() => Promise.reject(new Error("plain fetch"))) as typeof globalThis.fetch;

/** A client and the headers that make a request one with a bound token. */
async function clientOf(answer: Answer, fetch: typeof globalThis.fetch = refusing) {
  const identity = identityOf(answer);
  const client: HttpClient = httpClient(identity, { fetch });
  const asked = { tenantId: "tenant", enableCae: true };
  const credential = tokenCredential(identity, { additionallyAllowedTenants: ["tenant"] });
  const { token } = (await credential.getToken("https://service.example/.default", asked))!;
  return {
    client,
    send: (options: Partial<PipelineRequest> = {}) => {
      // It copies some of its options only.
      const request = Object.assign(createPipelineRequest({ url: URL, ...options }), options);
      request.headers.set("Authorization", `Bearer ${token}`);
      return client.sendRequest(request);
    },
  };
}

describe("a request that isn't sent", () => {
  it("is one with a token from elsewhere, whatever its scheme", async () => {
    const { client } = await clientOf(() => assert.fail("sent"));
    const values = [
      "Bearer eyJ.eyJ.sig",
      "mtls_pop eyJ.eyJ.sig",
      "SharedKey account:c2ln",
      "Bearer keybound-reference-not-a-token.e30",
      "Bearer keybound-reference-not-a-token.%%",
      "",
    ];
    for (const value of values) {
      const request = createPipelineRequest({ url: URL });
      request.headers.set("authorization", value);
      await assert.rejects(client.sendRequest(request), (error) => {
        assert.ok(isRestError(error));
        assert.equal(error.code, "REQUEST_SEND_ERROR");
        assert.ok(value === "" || !error.message.includes(value));
        return true;
      });
    }
  });

  it("is one that isn't https, even without a token", async () => {
    const { client, send } = await clientOf(() => assert.fail("sent"));
    const plain = { url: "http://service.example/x", allowInsecureConnection: true };
    await assert.rejects(send(plain), { name: "RestError" });
    await assert.rejects(client.sendRequest(createPipelineRequest(plain)), /https/);
  });

  it("is one that is to go another way than the identity's", async () => {
    const { send } = await clientOf(() => assert.fail("sent"));
    const agent = { destroy() {}, maxFreeSockets: 1, maxSockets: 1, requests: {}, sockets: {} };
    for (
      const options of [
        { agent },
        { proxySettings: { host: "https://proxy.example", port: 8080 } },
        { tlsSettings: { pfx: "x" } },
      ]
    ) await assert.rejects(send(options), /the identity's/);
  });

  it("is one that has been called off", async () => {
    const { send } = await clientOf(() => assert.fail("sent"));
    await assert.rejects(send({ abortSignal: AbortSignal.abort() }), { name: "AbortError" });
  });

  it("is one with a body of no known type", async () => {
    const { send } = await clientOf(() => assert.fail("sent"));
    await assert.rejects(send({ method: "POST", body: 7 as unknown as string }), /no known type/);
  });
});

describe("a failure", () => {
  it("is a RestError that the SDK tries again where that may help", async () => {
    const rows: [ErrorCode, string][] = [
      ["connection_reset", "ECONNRESET"],
      ["network_unreachable", "ECONNREFUSED"],
      ["request_timeout", "ETIMEDOUT"],
      ["tls_credential_suspect", "ECONNRESET"],
      ["tls_credential_rejected", "REQUEST_SEND_ERROR"],
      ["tls_server_untrusted", "REQUEST_SEND_ERROR"],
      ["invalid_client", "REQUEST_SEND_ERROR"],
    ];
    for (const [code, expected] of rows) {
      const failure = new KeyboundError(code, "What to do.");
      const { send } = await clientOf(() => Promise.reject(failure));
      await assert.rejects(send(), (error) => {
        assert.ok(isRestError(error));
        assert.equal(error.code, expected);
        assert.equal(error.message, "What to do.");
        assert.equal(error.cause, failure);
        assert.equal(error.request!.url, URL);
        assert.ok(!Object.keys(error).includes("request"));
        return true;
      });
    }
  });

  it("of plain fetch keeps the URL, which may hold a secret, to itself", async () => {
    const secret = `${URL}?sig=SECRET`;
    const failing = () =>
      Promise.reject(new TypeError(secret, { cause: { code: "ECONNREFUSED" } }));
    const { client } = await clientOf(() => assert.fail("sent"), failing);
    await assert.rejects(client.sendRequest(createPipelineRequest({ url: secret })), (error) => {
      assert.ok(isRestError(error));
      assert.equal(error.code, "ECONNREFUSED");
      assert.ok(!`${error.stack} ${(error.cause as Error).stack}`.includes("SECRET"));
      return true;
    });
  });

  it("is an AbortError when no answer comes in time, or the request is called off", async () => {
    const never: Answer = (_url, { signal }) =>
      new Promise((_resolve, reject) => {
        signal!.addEventListener("abort", () => reject(signal!.reason));
      });
    const { send } = await clientOf(never);
    await assert.rejects(send({ timeout: 1 }), {
      name: "AbortError",
      message: /no answer in 1 ms/,
    });
    const caller = new AbortController();
    const pending = send({ abortSignal: caller.signal });
    caller.abort();
    await assert.rejects(pending, { name: "AbortError" });
  });

  it("in the middle of the body is a RestError too", async () => {
    const cut = new KeyboundError("connection_reset", "Cut off.");
    const body = () =>
      new ReadableStream({
        pull: (controller) => controller.error(cut),
      });
    const { send } = await clientOf(() => new Response(body()));
    await assert.rejects(send(), { name: "RestError", code: "ECONNRESET" });
    const { readableStreamBody } = await send({ streamResponseStatusCodes: new Set([200]) });
    await assert.rejects(collect(readableStreamBody!), { name: "RestError", code: "ECONNRESET" });
  });
});

describe("a request", () => {
  it("carries what it was asked with, but no stand-in for a token", async () => {
    const seen: [string, AzureRequestInit][] = [];
    const { send } = await clientOf((url, init) => {
      seen.push([url, init]);
      return new Response("{}");
    });
    await send({ method: "PUT", body: "text" });
    const [[url, init]] = seen as [[string, AzureRequestInit]];
    assert.equal(url, URL);
    assert.equal(init.method, "PUT");
    assert.equal(init.body, "text");
    assert.equal(init.redirect, "manual");
    assert.equal(init.resource, "https://service.example");
    assert.equal(init.binding, "mtls_pop");
    assert.equal(init.tenantId, "tenant");
    assert.match(init.clientClaims!, /cp1/);
    const headers = new Headers(init.headers);
    assert.equal(headers.get("authorization"), null);
    assert.equal(headers.get("x-ms-tokenboundauth"), null, "for Key Vault only");
  });

  it("without a token goes out by plain fetch, and carries none", async () => {
    const seen: RequestInit[] = [];
    const plain = (_input: string | URL | Request, init?: RequestInit) => {
      seen.push(init!);
      return Promise.resolve(new Response("", { status: 401 }));
    };
    const { client } = await clientOf(() => assert.fail("by the identity"), plain);
    const { status } = await client.sendRequest(createPipelineRequest({ url: URL }));
    assert.equal(status, 401);
    assert.equal(new Headers(seen[0]!.headers).get("authorization"), null);
    assert.equal(seen[0]!.redirect, "manual");
  });

  it("takes every kind of body", async () => {
    const { send } = await clientOf(async (url, init) => {
      const request = new Request(url, init as RequestInit);
      return new Response(await request.text());
    });
    const stream = () =>
      new ReadableStream<Uint8Array>({
        start(controller) {
          controller.enqueue(new TextEncoder().encode("abc"));
          controller.close();
        },
      });
    const bodies = [
      "abc",
      new TextEncoder().encode("abc"),
      new TextEncoder().encode("abc").buffer,
      new Blob(["abc"]),
      Readable.from(["a", Buffer.from("bc")]),
      () => Readable.from(["abc"]),
      stream(),
      stream,
    ];
    for (const body of bodies) {
      const sent: number[] = [];
      const { bodyAsText } = await send({
        method: "POST",
        body,
        onUploadProgress: ({ loadedBytes }) => void sent.push(loadedBytes),
      });
      assert.equal(bodyAsText, "abc");
      assert.equal(sent.at(-1), 3);
    }
    for (const body of [null, undefined, ""]) {
      const response = await send({ method: "POST", ...(body === undefined ? {} : { body }) });
      assert.equal(response.bodyAsText, "");
    }
  });

  it("without a body of its own has none in its answer to HEAD", async () => {
    const { send } = await clientOf(() => new Response(null, { headers: { "X-Ms-A": " 1 " } }));
    const response = await send({ method: "HEAD" });
    assert.equal(response.bodyAsText, undefined);
    assert.equal(response.headers.get("x-MS-a"), "1");
    assert.deepEqual(response.headers.toJSON(), { "x-ms-a": "1" });
  });

  it("gives its answer as the web's stream where that is wanted", async () => {
    const { send } = await clientOf(() => new Response("abc"));
    const received: number[] = [];
    const { browserStreamBody, readableStreamBody } = await send({
      streamResponseStatusCodes: new Set([Infinity]),
      enableBrowserStreams: true,
      onDownloadProgress: ({ loadedBytes }) => void received.push(loadedBytes),
    });
    assert.equal(readableStreamBody, undefined);
    assert.equal(await new Response(browserStreamBody).text(), "abc");
    assert.deepEqual(received, [3]);
  });

  it("lets go of the caller's signal when its answer has been read, or nobody wants it", async () => {
    for (const isWanted of [true, false]) {
      const signal = countingSignal();
      const { send } = await clientOf(() => new Response("abc"));
      const { browserStreamBody } = await send({
        abortSignal: signal,
        streamResponseStatusCodes: new Set([200]),
        enableBrowserStreams: true,
      });
      assert.equal(signal.listeners, 1);
      if (isWanted) await new Response(browserStreamBody).text();
      else await browserStreamBody!.cancel();
      assert.equal(signal.listeners, 0);
    }
  });
});

function countingSignal() {
  return {
    aborted: false,
    listeners: 0,
    addEventListener() {
      this.listeners++;
    },
    removeEventListener() {
      this.listeners--;
    },
  };
}

async function collect(stream: NodeJS.ReadableStream): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk as unknown as Uint8Array);
  return Buffer.concat(chunks);
}
