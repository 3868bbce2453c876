/**
 * Whom the proxy lets in, and what of a request and a response goes on.
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { digestOf, headerMap, refusalOf } from "../../cli/proxy/admission.ts";
import {
  requestHeaders,
  responseHeaders,
  upstreamOf,
  upstreamUrl,
} from "../../cli/proxy/forwarding.ts";

const SECRET = "s".repeat(43);
const RULES = { secretDigest: digestOf(SECRET), hosts: ["127.0.0.1:8080", "localhost:8080"] };
const basic = (text: string) => `Basic ${Buffer.from(text).toString("base64")}`;

/** A request that is let in, but for what is given. */
function head(
  headers: Readonly<Record<string, string | undefined>> = {},
  { method = "GET", target = "/a?b=c" } = {},
) {
  const all = { host: "127.0.0.1:8080", "keybound-secret": SECRET, ...headers };
  const raw = Object.entries(all).flatMap(([name, value]) =>
    value === undefined ? [] : [name, value]
  );
  return { method, target, headers: headerMap(raw) };
}

describe("the proxy refuses", () => {
  const refused: [string, ReturnType<typeof head>, number][] = [
    ["a request without the secret", head({ "keybound-secret": undefined }), 401],
    ["a wrong secret", head({ "keybound-secret": `${SECRET}s` }), 401],
    ["an empty secret", head({ "keybound-secret": "" }), 401],
    ["half of the secret", head({ "keybound-secret": SECRET.slice(1) }), 401],
    [
      "the secret as a bearer token",
      head({ "keybound-secret": undefined, authorization: `Bearer ${SECRET}` }),
      401,
    ],
    [
      "the secret as a user name",
      head({ "keybound-secret": undefined, authorization: basic(`${SECRET}:x`) }),
      401,
    ],
    [
      "a wrong secret beside the right password",
      head({ "keybound-secret": "x", authorization: basic(`x:${SECRET}`) }),
      401,
    ],
    ["another host (DNS rebinding)", head({ host: "evil.example:8080" }), 421],
    ["another port", head({ host: "127.0.0.1:80" }), 421],
    ["a host that only begins like ours", head({ host: "127.0.0.1:8080.evil.example" }), 421],
    ["no host", head({ host: undefined }), 421],
    ["a page of another site", head({ origin: "https://evil.example" }), 403],
    ["a page of another port", head({ origin: "http://127.0.0.1:3000" }), 403],
    ["a page without an origin", head({ origin: "null" }), 403],
    [
      "a request that another site made a browser send",
      head({ "sec-fetch-site": "cross-site" }),
      403,
    ],
    ["one of another port's", head({ "sec-fetch-site": "same-site" }), 403],
    ["an upgrade", head({ upgrade: "websocket" }), 501],
    ["a tunnel", head({}, { method: "CONNECT", target: "evil.example:443" }), 405],
    ["TRACE", head({}, { method: "TRACE" }), 405],
    ["an absolute target", head({}, { target: "https://evil.example/" }), 400],
    ["an asterisk", head({}, { method: "OPTIONS", target: "*" }), 400],
    ["a target of a server", head({}, { target: "evil.example:443" }), 400],
    ["a fragment", head({}, { target: "/a#b" }), 400],
    ["a backslash", head({}, { target: "/\\evil.example" }), 400],
    ["an empty target", head({}, { target: "" }), 400],
  ];
  for (const [what, request, status] of refused) {
    it(`${what}, with ${status}`, () => {
      const refusal = refusalOf(request, RULES);
      assert.equal(refusal?.status, status);
      assert.ok(!JSON.stringify(refusal).includes(SECRET));
    });
  }

  it("two hosts, of which one is ours", () => {
    const request = head();
    request.headers.set("host", ["127.0.0.1:8080", "evil.example"]);
    assert.equal(refusalOf(request, RULES)?.status, 421);
  });

  it("a stranger before it says anything of the request", () => {
    const stranger = head({ "keybound-secret": undefined }, { target: "https://evil.example/" });
    assert.equal(refusalOf(stranger, RULES)?.status, 401);
  });

  it("browsers on a socket, where no page can come from", () => {
    const rules = { secretDigest: undefined, hosts: undefined };
    assert.equal(refusalOf(head({ host: "any", "keybound-secret": undefined }), rules), undefined);
    assert.equal(refusalOf(head({ origin: "http://any" }), rules)?.status, 403);
  });
});

describe("the proxy lets in", () => {
  const admitted: [string, ReturnType<typeof head>][] = [
    ["the secret in its header", head()],
    [
      "the secret as a password, whoever the user",
      head({ "keybound-secret": undefined, authorization: basic(`me:${SECRET}`) }),
    ],
    ["its other name, in any case", head({ host: "LocalHost:8080" })],
    ["its own page", head({ origin: "http://localhost:8080", "sec-fetch-site": "same-origin" })],
    ["an address typed into a browser", head({ "sec-fetch-site": "none" })],
    ["any other method", head({}, { method: "PROPFIND" })],
  ];
  for (const [what, request] of admitted) {
    it(what, () => assert.equal(refusalOf(request, RULES), undefined));
  }
});

describe("the upstream", () => {
  it("is an https URL and nothing more", () => {
    const others = [
      "",
      "vault",
      "http://a.example",
      "https://a.example/?q",
      "https://a.example/#f",
    ];
    for (
      const text of [...others, "https://u@a.example", "https://a.example/@b", "ftp://a.example"]
    ) {
      assert.equal(upstreamOf(text), undefined, text);
    }
    assert.equal(upstreamOf("https://a.example/base")?.href, "https://a.example/base");
  });

  it("is where every target leads, below its path", () => {
    const root = new URL("https://a.example");
    const base = new URL("https://a.example:8443/base/");
    assert.equal(upstreamUrl(root, "/x?y=%2F")?.href, "https://a.example/x?y=%2F");
    assert.equal(upstreamUrl(root, "//evil.example/x")?.href, "https://a.example//evil.example/x");
    assert.equal(upstreamUrl(root, "/@evil.example/")?.href, "https://a.example/@evil.example/");
    assert.equal(upstreamUrl(root, "/../x")?.href, "https://a.example/x");
    assert.equal(upstreamUrl(base, "/x")?.href, "https://a.example:8443/base/x");
    for (const target of ["/../x", "/%2e%2e/x", "/a/../../x", "/.."]) {
      assert.equal(upstreamUrl(base, target), undefined, target);
    }
    // What means nothing to a URL may mean a way out to the server.
    for (
      const target of ["/..%2Fx", "/a/%2e.%5cx", "/%2f%2E%2e/x", "/a%2f..", "/..;/x", "/..;a=b"]
    ) {
      assert.equal(upstreamUrl(base, target), undefined, target);
    }
    for (const target of ["/a..b", "/..a/x", "/...%2Fx", "/a%2Fb", "/x?path=..%2F"]) {
      assert.equal(upstreamUrl(base, target)?.pathname.startsWith("/base/"), true, target);
    }
  });
});

describe("of the headers", () => {
  it("those of the connection, of the proxy and of the caller's identity don't go on", () => {
    const raw = [
      ...["Host", "127.0.0.1", "Connection", "keep-alive, X-Mine", "X-Mine", "1"],
      ...["Keep-Alive", "5", "TE", "trailers", "Transfer-Encoding", "chunked", "Upgrade", "h2c"],
      ...["Proxy-Authorization", "Basic eA==", "Authorization", "Bearer x", "Keybound-Secret", "s"],
      ...["Expect", "100-continue", "Accept", "a", "Accept", "b", "Content-Length", "3"],
    ];
    assert.deepEqual(Object.fromEntries(requestHeaders(headerMap(raw))), {
      accept: "a, b",
      "content-length": "3",
    });
  });

  it("the length of a body goes on whatever Connection says", () => {
    const raw = ["Connection", "Content-Length", "Content-Length", "3"];
    assert.deepEqual(Object.fromEntries(requestHeaders(headerMap(raw))), { "content-length": "3" });
  });

  it("cookies come back one by one, and what is the connection's doesn't", () => {
    const headers = new Headers({ connection: "close, x-hop", "x-hop": "1", etag: '"e"' });
    headers.append("set-cookie", "a=1; Expires=Sun, 22 Nov 2026 09:00:00 GMT");
    headers.append("set-cookie", "b=2");
    headers.append("transfer-encoding", "chunked");
    assert.deepEqual(responseHeaders(headers), {
      etag: '"e"',
      "set-cookie": ["a=1; Expires=Sun, 22 Nov 2026 09:00:00 GMT", "b=2"],
    });
  });
});
