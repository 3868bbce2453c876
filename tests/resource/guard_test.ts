/**
 * What guarded servers answer (RFC 6750 section 3), in both styles.
 *
 * @module
 */

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, request as httpRequest } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, describe, it } from "node:test";
import {
  boundTokenGuard,
  type BoundTokenGuardOptions,
  requireBoundToken,
} from "../../resource/mod.ts";
import {
  boundTokenListener,
  certificateOfSocket,
  nodeBoundTokenGuard,
} from "../../resource/node.ts";
import { base64 } from "../../src/encoding.ts";
import type { ErrorCode } from "../../src/errors.ts";
import { issueCertificate, type IssuedCertificate } from "../support/certificates.ts";
import { API, ISSUER, type TokenIssuer, tokenIssuer } from "./support/tokens.ts";

const URL = "https://api.example.com/orders";

let issuer: TokenIssuer;
let mine: IssuedCertificate;
let thiefs: IssuedCertificate;

before(async () => {
  issuer = await tokenIssuer();
  [mine, thiefs] = [await issueCertificate(), await issueCertificate()];
});

function header({ der }: IssuedCertificate): string {
  return `:${base64(der)}:`;
}

function options(more: Partial<BoundTokenGuardOptions> = {}): BoundTokenGuardOptions {
  return {
    jwks: issuer.jwks,
    issuer: ISSUER,
    audience: API,
    realm: "orders",
    certificate: { header: "client-cert", format: "rfc9440", trustProxy: true },
    ...more,
  };
}

async function ask(
  headers: HeadersInit,
  more: Partial<BoundTokenGuardOptions> = {},
  url = URL,
): Promise<Response> {
  const handler = requireBoundToken(
    (_request, { claims, scheme }) => Response.json({ sub: claims.sub, scheme }),
    options(more),
  );
  return await handler(new Request(url, { headers }));
}

describe("a guarded handler", () => {
  it("lets in a token over the connection it is bound to", async () => {
    const authorization = `Bearer ${await issuer.token(mine.thumbprint)}`;
    const response = await ask({ authorization, "client-cert": header(mine) });
    assert.deepEqual(await response.json(), { sub: "client", scheme: "Bearer" });
  });

  it("answers a stolen token with 401 and says what is wrong", async () => {
    const authorization = `bearer ${await issuer.token(mine.thumbprint)}`;
    for (const headers of [{ "client-cert": header(thiefs) }, {}]) {
      const response = await ask({ authorization, ...headers } as HeadersInit);
      assert.equal(response.status, 401);
      assert.equal(
        response.headers.get("www-authenticate"),
        'Bearer realm="orders", error="invalid_token", error_description="The token is not bound to the client certificate of this connection"',
      );
      assert.equal(response.headers.get("cache-control"), "no-store");
      assert.equal((await response.json()).error, "invalid_token");
    }
  });

  it("answers a request without a token with a challenge and no error", async () => {
    const rows: [HeadersInit, BoundTokenGuardOptions["schemes"], string][] = [
      [{}, undefined, 'Bearer realm="orders"'],
      [{ authorization: "Basic YTpi" }, undefined, 'Bearer realm="orders"'],
      [{ authorization: "mtls_pop abc" }, undefined, 'Bearer realm="orders"'],
      [{}, ["Bearer", "mtls_pop"], 'Bearer realm="orders", mtls_pop realm="orders"'],
    ];
    for (const [headers, schemes, challenge] of rows) {
      const response = await ask(headers, schemes === undefined ? {} : { schemes });
      assert.equal(response.status, 401);
      assert.equal(response.headers.get("www-authenticate"), challenge);
      assert.equal(await response.text(), "");
    }
  });

  it("takes the scheme mtls_pop where it is told to, and challenges in it", async () => {
    const schemes = ["mtls_pop"] as const;
    const token = await issuer.token(mine.thumbprint);
    const good = { authorization: `MTLS_PoP ${token}`, "client-cert": header(mine) };
    assert.equal((await (await ask(good, { schemes })).json()).scheme, "mtls_pop");
    const stolen = await ask({ ...good, "client-cert": header(thiefs) }, { schemes });
    assert.match(stolen.headers.get("www-authenticate")!, /^mtls_pop realm="orders", error=/);
  });

  it("answers what is malformed with 400 invalid_request", async () => {
    const token = await issuer.token(mine.thumbprint);
    const cert = header(mine);
    const two = new Headers({ "client-cert": cert, authorization: `Bearer ${token}` });
    two.append("authorization", `Bearer ${token}`);
    const certs = new Headers({ "client-cert": cert, authorization: `Bearer ${token}` });
    certs.append("client-cert", header(thiefs));
    const rows: [HeadersInit, string?][] = [
      [two],
      [certs],
      [{ authorization: "Bearer" }],
      [{ authorization: "Bearer a b" }],
      [{ authorization: "Bearer a,b" }],
      [{ authorization: `Bearer "${token}"` }],
      [{ authorization: `Bearer ${"a".repeat(16_500)}` }],
      [{ authorization: `Bearer ${token}`, "client-cert": "nonsense" }],
      [{ authorization: `Bearer ${token}`, "client-cert": cert }, `${URL}?access_token=${token}`],
      [{}, `${URL}?a=b&access_token=x`],
    ];
    for (const [headers, url] of rows) {
      const response = await ask(headers, {}, url);
      assert.equal(response.status, 400);
      assert.match(response.headers.get("www-authenticate")!, /error="invalid_request"/);
    }
  });

  it("answers a token that isn't valid with 401 invalid_token", async () => {
    const strange = await (await tokenIssuer()).token(mine.thumbprint);
    for (const token of ["opaque", "a.b.c", strange, "a".repeat(16_384)]) {
      const headers = { authorization: `Bearer ${token}`, "client-cert": header(mine) };
      assert.equal((await ask(headers)).status, 401, token.slice(0, 10));
    }
  });

  it("answers 503 where the keys can't be had, and says so to the one who runs it", async () => {
    const told: ErrorCode[] = [];
    const response = await ask(
      {
        authorization: `Bearer ${await issuer.token(mine.thumbprint)}`,
        "client-cert": header(mine),
      },
      { jwks: () => Promise.reject(new Error("down")), onRefused: (code) => void told.push(code) },
    );
    assert.equal(response.status, 503);
    assert.equal(response.headers.has("www-authenticate"), false);
    assert.deepEqual(told, ["jwks_unavailable"]);
  });

  it("believes a header only of those it is told to believe", async () => {
    const authorization = `Bearer ${await issuer.token(mine.thumbprint)}`;
    const guard = boundTokenGuard<[{ remote: string }]>({
      ...options(),
      certificate: {
        header: "Client-Cert",
        format: "rfc9440",
        trustProxy: (_request, { remote }) => remote === "127.0.0.1",
      },
    });
    const request = new Request(URL, { headers: { authorization, "client-cert": header(mine) } });
    const refused = await guard(request, { remote: "203.0.113.9" });
    assert.ok(refused instanceof Response && refused.status === 401);
    const access = await guard(request, { remote: "127.0.0.1" });
    assert.ok(!(access instanceof Response));
    assert.equal(access.claims.sub, "client");
  });

  it("takes the certificate from wherever the platform has it", async () => {
    const authorization = `Bearer ${await issuer.token(mine.thumbprint)}`;
    const response = await ask({ authorization }, { certificate: () => mine.der });
    assert.equal(response.status, 200);
  });

  it("isn't made where it can't be safe", () => {
    const rows: Partial<Record<keyof BoundTokenGuardOptions, unknown>>[] = [
      { certificate: undefined },
      { certificate: { header: "client-cert", format: "rfc9440" } },
      { certificate: { header: "client-cert", format: "rfc9440", trustProxy: false } },
      { certificate: { header: "client-cert", format: "der", trustProxy: true } },
      { certificate: { header: "", format: "nginx", trustProxy: true } },
      { schemes: [] },
      { schemes: ["Basic"] },
      { realm: 'a"b' },
      { audience: [] },
      { algorithms: ["none"] },
    ];
    for (const more of rows) {
      const made = { ...options(), ...more } as BoundTokenGuardOptions;
      assert.throws(() => boundTokenGuard(made), { code: "invalid_argument" });
    }
    const { certificate: _, ...rest } = options();
    const certificate = { header: "client-cert", format: "nginx" } as never;
    assert.throws(() => nodeBoundTokenGuard({ ...rest, certificate }), {
      code: "invalid_argument",
    });
  });
});

describe("a guarded listener of node:http", () => {
  let port: number;
  let close: () => void;
  const errors: unknown[] = [];

  before(async () => {
    const { certificate: _, ...rest } = options();
    const server = createServer(boundTokenListener((request, response, { claims }) => {
      if (request.url === "/throw") throw new Error("The listener's own.");
      response.end(claims.sub);
    }, {
      ...rest,
      certificate: { header: "Client-Cert", format: "rfc9440", trustProxy: true },
      onError: (error) => void errors.push(error),
    })).listen(0, "127.0.0.1");
    await once(server, "listening");
    port = (server.address() as AddressInfo).port;
    close = () => void server.close();
  });
  after(() => close());

  async function send(
    headers: Record<string, string | string[]>,
    path = "/",
  ): Promise<[number, string | undefined, string]> {
    const outgoing = httpRequest({ host: "127.0.0.1", port, path, headers, agent: false });
    outgoing.end();
    const [response] = await once(outgoing, "response");
    let body = "";
    for await (const chunk of response) body += chunk;
    return [response.statusCode, response.headers["www-authenticate"], body];
  }

  it("lets in a bound token and refuses a stolen one", async () => {
    const authorization = `Bearer ${await issuer.token(mine.thumbprint)}`;
    assert.deepEqual(await send({ authorization, "client-cert": header(mine) }), [
      200,
      undefined,
      "client",
    ]);
    const [status, challenge] = await send({ authorization, "client-cert": header(thiefs) });
    assert.equal(status, 401);
    assert.match(challenge!, /error="invalid_token"/);
    assert.deepEqual((await send({})).slice(0, 2), [401, 'Bearer realm="orders"']);
  });

  it("sees a second header of one name, which Node leaves out", async () => {
    const authorization = `Bearer ${await issuer.token(mine.thumbprint)}`;
    const two = await send({ authorization, "client-cert": [header(thiefs), header(mine)] });
    assert.equal(two[0], 400);
  });

  it("answers 500 where the listener fails, and tells who runs it", async () => {
    const authorization = `Bearer ${await issuer.token(mine.thumbprint)}`;
    const [status] = await send({ authorization, "client-cert": header(mine) }, "/throw");
    assert.equal(status, 500);
    assert.equal(errors.length, 1);
  });

  it("finds no certificate on a connection without TLS", () => {
    assert.equal(certificateOfSocket({}), undefined);
    assert.equal(certificateOfSocket({ getPeerCertificate: () => ({}) }), undefined);
    assert.equal(certificateOfSocket({ getPeerCertificate: () => null }), undefined);
  });
});
