/**
 * The fetch that asks the host's own services directly: which requests it sends itself, and that it
 * does so as `fetch` would. That no proxy sees them is for `tests/live/proxy_test.ts` to show.
 *
 * @module
 */

import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { describe, it } from "node:test";
import { DirectConnections } from "../../backends/host/direct_connections.ts";
import { directExchange } from "../../backends/host/direct_exchange.ts";
import { directFetch } from "../../backends/host/mod.ts";
import { openBody } from "../../backends/http/request_body.ts";
import { exchange, readText } from "../../src/http.ts";
import { managedIdentityPolicy } from "../../src/policy/retry.ts";
import { manualClock } from "../support/clock.ts";
import { until } from "../support/waiting.ts";
import { type PlainServer, servePlain } from "./support/plain_server.ts";

const OK = "HTTP/1.1 200 OK\r\n";
const HI = `${OK}Content-Length: 2\r\n\r\nhi`;

interface Ending {
  after(close: () => Promise<void>): void;
}

/** A server for one test. */
async function serve(
  t: Ending,
  answer: string | ((socket: Socket, request: string) => void) = HI,
): Promise<PlainServer & { readonly url: string }> {
  const server = await servePlain(
    typeof answer === "string" ? (socket) => socket.end(answer, "latin1") : answer,
  );
  t.after(server.close);
  return { ...server, url: `http://127.0.0.1:${server.port}/token?a=b` };
}

const refusing: typeof fetch = () => Promise.reject(new Error("not direct"));
const direct = directFetch({ fetch: refusing });

/** What `fetch` promises of a failure of the network: a `TypeError` that has a cause. */
function isNetworkError(error: unknown): boolean {
  assert.ok(error instanceof TypeError, String(error));
  assert.ok(error.cause instanceof Error);
  return true;
}

describe("a direct fetch fails", () => {
  const refused: Readonly<Record<string, (socket: Socket) => void>> = {
    "where the connection is reset": (socket) => socket.resetAndDestroy(),
    "where the connection ends without an answer": (socket) => socket.end(),
    "within the head": (socket) => socket.end(`${OK}Content-Le`),
    "where the body is shorter than its length": (socket) =>
      socket.end(`${OK}Content-Length: 9\r\n\r\nhi`),
    "where the last chunk is missing": (socket) =>
      socket.end(`${OK}Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n`),
    "where the connection is reset within the body": (socket) =>
      socket.write(
        `${OK}Content-Length: 9\r\n\r\nhi`,
        () => setTimeout(() => socket.resetAndDestroy(), 20),
      ),
    "for what is no HTTP": (socket) => socket.end("220 smtp.example ESMTP\r\n\r\n"),
    "for two lengths": (socket) =>
      socket.end(`${OK}Content-Length: 2\r\nContent-Length: 6\r\n\r\nhi`),
    "for a length and chunks": (socket) =>
      socket.end(
        `${OK}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n`,
      ),
    "for a head of more than 32 KiB": (socket) =>
      socket.end(`${OK}A: ${"a".repeat(40_000)}\r\nContent-Length: 2\r\n\r\nhi`),
    "for another protocol": (socket) =>
      socket.write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"),
    "for a status that no Response can have": (socket) =>
      socket.end("HTTP/1.1 700 Strange\r\nContent-Length: 2\r\n\r\nhi"),
  };
  for (const [when, answer] of Object.entries(refused)) {
    it(`as fetch does ${when}`, async (t) => {
      const server = await serve(t, answer);
      const read = async () => await (await direct(server.url)).text();
      await assert.rejects(read(), isNetworkError);
      await until(() => server.closed() === 1);
    });
  }

  it("as fetch does where nobody listens", async () => {
    const server = await servePlain((socket) => socket.end(HI));
    await server.close();
    await assert.rejects(direct(`http://127.0.0.1:${server.port}/`), (error: Error) => {
      isNetworkError(error);
      assert.match(JSON.stringify(error.cause), /ECONNREFUSED/);
      return true;
    });
  });

  it("for a redirect, unless it is asked for as an answer", async (t) => {
    const redirect = "HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 2\r\n\r\nhi";
    const server = await serve(t, redirect);
    await assert.rejects(direct(server.url), isNetworkError);
    await assert.rejects(direct(server.url, { redirect: "error" }), isNetworkError);
    await assert.rejects(direct(server.url, { redirect: "follow" }), isNetworkError);
    const response = await direct(server.url, { redirect: "manual" });
    assert.deepEqual([response.status, response.headers.get("location")], [302, "/elsewhere"]);
    await response.body?.cancel();
    assert.equal(server.received.length, 4, "nobody asked elsewhere");
  });

  it("before anything is sent for headers, methods and URLs that can't be sent", async (t) => {
    const server = await serve(t);
    const bad: [string, RequestInit][] = [
      [server.url, { headers: { secret: "a\r\nevil: b" } }],
      [server.url, { headers: { "a\r\nevil": "b" } }],
      [server.url, { headers: { secret: "a\0" } }],
      [server.url, { method: "CONNECT" }],
      [server.url, { method: "POST", body: "four", headers: { "content-length": "5" } }],
    ];
    for (const [url, init] of bad) {
      await assert.rejects(direct(url, init), JSON.stringify(init));
    }
    assert.deepEqual(server.received, []);
    // Bun's Request takes it for GET.
    await direct(server.url, { method: "GET /evil HTTP/1.1\r\n\r\n" }).catch(() => {});
    assert.ok(!server.received.join("").includes("evil"));
  });

  it("where the runtime makes another connection than the one it is given", async (t) => {
    class Elsewhere extends DirectConnections {
      override made(): boolean {
        return false;
      }
    }
    const server = await serve(t);
    const request = new Request(server.url, { headers: { secret: "s" } });
    const { signal } = new AbortController();
    const sent = directExchange(request, await openBody(request, signal), new Elsewhere(), signal);
    await assert.rejects(sent, { code: "transport_not_available" });
    await (await direct(server.url, { headers: { secret: "later" } })).text();
    assert.deepEqual(server.received.filter((text) => /secret: s\r/i.test(text)), []);
  });
});

describe("a signal", () => {
  const reason = new Error("enough");

  it("that is aborted already keeps a direct fetch from connecting", async (t) => {
    const server = await serve(t);
    const signal = AbortSignal.abort(reason);
    await assert.rejects(direct(server.url, { signal }), (error) => error === reason);
    const request = new Request(server.url, { signal });
    await assert.rejects(direct(request), (error) => error === request.signal.reason);
    assert.equal((await direct(request, { signal: null })).status, 200, "null takes it away");
    assert.equal(server.received.length, 1);
  });

  it("ends the wait for the connection", async (t) => {
    const server = await serve(t, () => {});
    const controller = new AbortController();
    const asked = direct(server.url, { signal: controller.signal });
    queueMicrotask(() => controller.abort(reason));
    await assert.rejects(asked, (error) => error === reason);
  });

  it("ends the wait for the answer, and the connection", async (t) => {
    const server = await serve(t, () => {});
    const controller = new AbortController();
    const asked = direct(server.url, { signal: controller.signal });
    asked.catch(() => {});
    await until(() => /\r\n\r\n$/.test(server.received[0] ?? ""));
    controller.abort(reason);
    await assert.rejects(asked, (error) => error === reason);
    await until(() => server.closed() === 1);
  });

  it("ends the response's body, and the connection", async (t) => {
    const server = await serve(t, (socket) => socket.write(`${OK}Content-Length: 9\r\n\r\nhi`));
    const controller = new AbortController();
    const response = await direct(server.url, { signal: controller.signal });
    const reader = response.body!.getReader();
    assert.equal(new TextDecoder().decode((await reader.read()).value), "hi");
    const rest = reader.read();
    controller.abort(reason);
    await assert.rejects(rest, (error) => error === reason);
    await until(() => server.closed() === 1);
  });

  it("ends the request's body", async (t) => {
    const server = await serve(t, () => {});
    const controller = new AbortController();
    let cancelled: unknown;
    const body = new ReadableStream<Uint8Array>({
      pull: (stream) =>
        server.received.length === 0 ? stream.enqueue(new Uint8Array(70_000)) : undefined,
      cancel: (why) => void (cancelled = why),
    });
    const init = { method: "POST", body, duplex: "half", signal: controller.signal };
    const asked = direct(server.url, init as RequestInit);
    asked.catch(() => {});
    await until(() => server.received.length === 1);
    controller.abort(reason);
    await assert.rejects(asked, (error) => error === reason);
    await until(() => cancelled === reason && server.closed() === 1);
  });

  it("does nothing any more when the answer has been read", async (t) => {
    const server = await serve(t);
    const controller = new AbortController();
    const response = await direct(server.url, { signal: controller.signal });
    assert.equal(await response.text(), "hi");
    controller.abort(reason);
    assert.equal((await direct(server.url)).status, 200);
  });

  it("of a deadline is what the core calls request_timeout, also while bytes drip", async (t) => {
    for (const beginning of ["", `${OK}Content-Length: 9\r\n\r\nhi`]) {
      const server = await serve(t, (socket) => socket.write(beginning));
      const clock = manualClock();
      const policy = { ...managedIdentityPolicy, limit: () => 0 };
      const asked = exchange(
        (signal) => direct(server.url, { redirect: "manual", signal }),
        { policy, timeout: 1000, clock, random: () => 0 },
      );
      asked.catch(() => {});
      await until(() => /\r\n\r\n$/.test(server.received[0] ?? ""));
      await clock.advance(1000);
      await assert.rejects(asked, { code: "request_timeout" });
      await until(() => server.closed() === 1);
    }
  });
});

describe("a direct fetch", () => {
  it("sends method, path and headers, none of the caller's about the connection", async (t) => {
    const server = await serve(t);
    const response = await direct(server.url, {
      headers: { "X-IDENTITY-HEADER": "s3", Host: "evil.example", Connection: "upgrade", TE: "x" },
    });
    assert.deepEqual([response.status, response.statusText], [200, "OK"]);
    assert.ok(response instanceof Response);
    assert.equal(await response.text(), "hi");
    const [request] = server.received;
    assert.match(request!, /^GET \/token\?a=b HTTP\/1\.1\r\n/);
    assert.match(request!, /\r\nx-identity-header: s3\r\n/i);
    assert.match(request!, new RegExp(`\r\nhost: 127\\.0\\.0\\.1:${server.port}\r\n`, "i"));
    assert.match(request!, /\r\nconnection: close\r\n/i);
    assert.doesNotMatch(request!, /evil|upgrade|\r\nte:/i);
  });

  it("sends a body in memory with its length, a longer one in chunks", async (t) => {
    const server = await serve(t);
    const headers = { "Content-Type": "text/plain" };
    await (await direct(server.url, { method: "POST", body: "ähm", headers })).text();
    assert.match(server.received[0]!, /^POST [^]*\r\ncontent-length: 4\r\n/i);
    assert.match(server.received[0]!, /\r\ncontent-type: text\/plain\r\n/i);
    let left = 3;
    const body = new ReadableStream<Uint8Array>({
      pull: (stream) =>
        left-- > 0 ? stream.enqueue(new Uint8Array(40_000).fill(97)) : stream.close(),
    });
    const init = { method: "PUT", body, duplex: "half" };
    await (await direct(server.url, init as RequestInit)).text();
    assert.match(server.received[1]!, /^PUT [^]*\r\ntransfer-encoding: chunked\r\n/i);
    assert.equal(server.received[1]!.match(/a{100}/g)!.length, 1200);
  });

  it("takes a Request and a URL as well as a text", async (t) => {
    const server = await serve(t);
    await (await direct(new URL(server.url))).text();
    const request = new Request(server.url, { method: "POST", body: "b", headers: { a: "1" } });
    await (await direct(request, { headers: { a: "2" } })).text();
    assert.match(server.received[0]!, /^GET \/token\?a=b /);
    assert.match(server.received[1]!, /^POST [^]*\r\na: 2\r\n[^]*\r\n\r\nb$/i);
  });

  it("gives what came before the end of the answer comes", async (t) => {
    let rest = () => {};
    const server = await serve(t, (socket) => {
      socket.write(`${OK}Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n`);
      rest = () => socket.end("4\r\n you\r\n0\r\n\r\n");
    });
    const response = await direct(server.url);
    const reader = response.body!.getReader();
    assert.equal(new TextDecoder().decode((await reader.read()).value), "hi");
    rest();
    assert.equal(new TextDecoder().decode((await reader.read()).value), " you");
    assert.equal((await reader.read()).done, true);
  });

  it("reads no more than its reader takes, and lets go of the rest", async (t) => {
    let written = 0;
    const server = await serve(t, (socket) => {
      socket.write(`${OK}\r\n`);
      const chunk = "a".repeat(65_536);
      const write = () => {
        while (!socket.destroyed) {
          written += chunk.length;
          if (!socket.write(chunk)) break;
        }
      };
      socket.on("drain", write);
      write();
    });
    const response = await direct(server.url);
    await assert.rejects(readText(response, 100_000), { code: "response_too_large" });
    await until(() => server.closed() === 1);
    assert.ok(written < 64 * 1_048_576, `${written} bytes`);
  });

  it("gives answers without a body, and headers that come twice", async (t) => {
    const twice = "Set-Cookie: a=1\r\nSet-Cookie: b=2\r\n";
    const head = await serve(t, `${OK}${twice}Content-Length: 4\r\n\r\n`);
    const response = await direct(head.url, { method: "HEAD" });
    assert.deepEqual([response.body, response.headers.getSetCookie()], [null, ["a=1", "b=2"]]);
    for (const status of ["204 No Content", "304 Not Modified"]) {
      const server = await serve(t, `HTTP/1.1 ${status}\r\nContent-Length: 4\r\n\r\nevil`);
      const empty = await direct(server.url);
      assert.deepEqual([empty.status, await empty.text()], [parseInt(status), ""]);
    }
  });

  it("passes over informational answers and what follows the answer", async (t) => {
    const server = await serve(t, `HTTP/1.1 102 Processing\r\n\r\n${HI}${OK}\r\nevil`);
    // Some runtimes call it an error, none an answer.
    const text = await direct(server.url).then((it) => it.text(), (error) => {
      isNetworkError(error);
      return "hi";
    });
    assert.equal(text, "hi");
  });

  it("makes a connection for each request", async (t) => {
    const server = await serve(t, (socket) => socket.write(HI));
    for (let i = 0; i < 3; i++) assert.equal(await (await direct(server.url)).text(), "hi");
    assert.equal(server.received.length, 3);
    await until(() => server.closed() === 3);
  });

  for (const host of ["localhost", "127.0.0.2", "[::1]"]) {
    it(`reaches ${host}`, async (t) => {
      const server = await servePlain((socket) => socket.end(HI), hostOf(host));
      t.after(server.close);
      assert.equal(await (await direct(`http://${host}:${server.port}/`)).text(), "hi");
    });
  }
});

function hostOf(name: string): string {
  return name === "localhost" ? "127.0.0.1" : name.replace(/[[\]]/g, "");
}

describe("what a direct fetch sends itself", () => {
  const environment = {
    AZURE_POD_IDENTITY_AUTHORITY_HOST: "http://imds.example:8080/path",
    IDENTITY_ENDPOINT: "http://10.0.0.4/msi/token",
    MSI_ENDPOINT: "https://msi.example/token",
  };
  // Nothing is sent: a direct fetch looks at the signal first, the one given doesn't.
  const reason = new Error("aborted");
  const signal = AbortSignal.abort(reason);
  const given: typeof fetch = () => Promise.resolve(new Response("given"));
  const way = (url: string | URL | Request, variables = environment) =>
    directFetch({ fetch: given, environment: variables })(url, { signal }).then(
      (response) => response.text(),
      (error) => error === reason ? "direct" : String(error),
    );

  const own = [
    "http://127.0.0.1:40342/metadata",
    "http://127.255.0.9/",
    "http://0x7f.1/",
    "http://2130706433/",
    "http://[::1]:8080/",
    "http://localhost:42356/msi/token",
    "http://LOCALHOST./",
    "http://app.localhost/",
    "http://169.254.169.254/metadata/identity/getplatformmetadata",
    "HTTP://169.254.129.2:8081/msi/token",
    "http://[fe80::1]/",
    "http://[febf::1]/",
    "http://[::ffff:127.0.0.1]/",
    "http://[::ffff:169.254.169.254]/",
    "http://imds.example:8080/metadata",
    "http://10.0.0.4/msi/token?resource=a",
  ];
  for (const url of own) {
    it(`is ${url}`, async () => {
      assert.equal(await way(url), "direct");
      assert.equal(await way(new URL(url)), "direct");
      assert.equal(await way(new Request(url)), "direct");
    });
  }

  const others = [
    "https://127.0.0.1/",
    "https://169.254.169.254/",
    "https://msi.example/token",
    "http://example.com/",
    "http://10.0.0.5/msi/token",
    "http://10.0.0.4:8080/msi/token",
    "http://imds.example/metadata",
    "http://169.255.169.254/",
    "http://128.0.0.1/",
    "http://127.0.0.1.example/",
    "http://127.0.0.1@example.com/",
    "http://localhost.example/",
    "http://notlocalhost/",
    "http://[fec0::1]/",
    "http://[::2]/",
    "data:,a",
    "/relative",
  ];
  for (const url of others) {
    it(`isn't ${url}`, async () => assert.equal(await way(url), "given"));
  }

  it("isn't what an empty or malformed variable names", async () => {
    const variables = { ...environment, IDENTITY_ENDPOINT: "", MSI_ENDPOINT: "10.0.0.4" };
    assert.equal(await way("http://10.0.0.4/", variables), "given");
  });

  it("goes otherwise by the runtime's fetch of that time", async () => {
    const { fetch } = globalThis;
    const later = directFetch();
    try {
      globalThis.fetch = given;
      assert.equal(await (await later("https://example.com/")).text(), "given");
    } finally {
      globalThis.fetch = fetch;
    }
  });
});
