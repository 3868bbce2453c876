/**
 * What every transport does: the sentences of `src/transports.ts` as tests, against live servers.
 * A backend is done when it passes.
 *
 * @module
 */

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { ClientCredential } from "../../src/credential.ts";
import { fromBase64url, hex } from "../../src/encoding.ts";
import { type ErrorCode, isKeyboundError } from "../../src/errors.ts";
import type { KeyAlgorithm, SignatureScheme, SigningKey } from "../../src/keys.ts";
import { type MtlsTransport, type TlsVersion, TransportError } from "../../src/transports.ts";
import { type TlsAuthority, tlsAuthority } from "../support/tls_identities.ts";
import type { RequestReport } from "../support/tls_protocol.ts";
import { startTlsServers, type TlsServers } from "../support/tls_servers.ts";

/** A transport to be examined. */
export interface MtlsTransportUnderTest {
  /** A new transport that trusts these authorities (PEM) and no others. */
  transport(ca: string): MtlsTransport;
  /** Schemes of a key that it doesn't accept. @default those of a key that it does */
  readonly refusedSchemes?: readonly SignatureScheme[];
  /** A new key that it accepts. */
  key(algorithm: KeyAlgorithm): Promise<SigningKey>;
  /** Disposes of the keys. */
  cleanup?(): Promise<void>;
}

/** What is to be expected of the backend. */
export interface MtlsTransportTraits {
  /** What `name` says. */
  readonly name: string;
  /** Kinds of keys it can present. @default RSA-2048 and P-256 */
  readonly algorithms?: readonly KeyAlgorithm[];
  /** Versions a request can be held to where the server speaks both. @default both */
  readonly heldVersions?: readonly TlsVersion[];
  /** Whether what came before a reset can still be read; Winsock throws it away. @default true */
  readonly readsBeforeReset?: boolean;
  /** Whether a server has to wait for a reader that is slow. @default true */
  readonly backPressure?: boolean;
}

const VERSIONS: readonly TlsVersion[] = ["TLSv1.2", "TLSv1.3"];

function rejectsWith(code: ErrorCode): (error: unknown) => boolean {
  return (error) => isKeyboundError(error, code);
}

async function report(response: Response): Promise<RequestReport> {
  assert.equal(response.status, 200);
  return await response.json() as RequestReport;
}

function header(seen: RequestReport, name: string): string | undefined {
  const at = seen.headers.findIndex((text, i) => i % 2 === 0 && text.toLowerCase() === name);
  return at < 0 ? undefined : seen.headers[at + 1];
}

/** The suite, for the transport that `make` makes. */
export function describeMtlsTransport(
  title: string,
  make: () => Promise<MtlsTransportUnderTest>,
  traits: MtlsTransportTraits,
): void {
  const { name, algorithms = ["RSA-2048", "P-256"], backPressure = true } = traits;
  const { heldVersions = VERSIONS, readsBeforeReset = true } = traits;

  describe(title, () => {
    let authority: TlsAuthority;
    let servers: TlsServers;
    let subject: MtlsTransportUnderTest;
    let credential: ClientCredential;
    let transport: MtlsTransport;

    before(async () => {
      authority = await tlsAuthority("Transport Test");
      const server = await authority.server();
      const https = { kind: "https", ...server, clientCa: authority.pem } as const;
      servers = await startTlsServers({
        https,
        "TLSv1.2": { ...https, maxVersion: "TLSv1.2" },
        "TLSv1.3": { ...https, minVersion: "TLSv1.3" },
        RSA: { ...https, ...await authority.server({ algorithm: "RSA" }) },
        early: {
          kind: "tls",
          ...server,
          version: "TLSv1.3",
          await: "request",
          send: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nearly",
        },
        wrongHost: { ...https, ...await authority.server({ hosts: ["wrong.example"] }) },
      });
      subject = await make();
      credential = await authority.client(await subject.key(algorithms[0]!));
      transport = subject.transport(authority.pem);
    });
    after(async () => {
      await transport?.close();
      await subject?.cleanup?.();
      await servers?.close();
    });

    /** Events so far of what came before: a request of our own has been seen after them. */
    let fences = 0;
    const fence = async (server: string) => {
      const path = `/report/fence-${fences++}`;
      const request = new Request(servers.url(server, path));
      await (await transport.fetch(request, credential, { connection: "fresh" })).text();
      await arrival(server, path);
    };
    const arrival = async (server: string, path: string) => {
      while ((await servers.next(server, "request")).path !== path);
    };
    const send = (server: string, path: string, init?: RequestInit & { duplex?: "half" }) =>
      transport.fetch(new Request(servers.url(server, path), init), credential);

    it("has its name", () => {
      assert.equal(transport.name, name);
    });

    describe("before any network", () => {
      it("refuses a URL that isn't https", async () => {
        for (const url of ["http://127.0.0.1:1/", "ftp://127.0.0.1/"]) {
          const sent = transport.fetch(new Request(url), credential);
          await assert.rejects(sent, rejectsWith("invalid_argument"), url);
        }
      });

      it("refuses a key that it doesn't accept", async () => {
        const { spki } = credential.key;
        const { refusedSchemes: schemes = credential.key.schemes } = subject;
        const foreign: SigningKey = {
          id: "foreign",
          strength: "hardware",
          spki,
          schemes,
          sign: () => Promise.reject(new Error("out of reach")),
        };
        assert.equal(transport.accepts(foreign), false);
        assert.equal(transport.accepts(credential.key), true);
        const other = await authority.client(foreign);
        const sent = transport.fetch(new Request(servers.url("https", "/report")), other);
        await assert.rejects(sent, rejectsWith("transport_not_available"));
        await fence("https");
        assert.equal(servers.count("https", "connection"), 1);
      });

      it("refuses a range without a TLS version", async () => {
        const request = new Request(servers.url("https", "/report"));
        const options = { minVersion: "TLSv1.3", maxVersion: "TLSv1.2" } as const;
        const sent = transport.fetch(request, credential, options);
        await assert.rejects(sent, rejectsWith("invalid_argument"));
      });

      it("rejects with the reason of a signal aborted before", async () => {
        const reason = new Error("not today");
        const sent = send("https", "/report", { signal: AbortSignal.abort(reason) });
        await assert.rejects(sent, (error) => error === reason);
      });
    });

    describe("towards a server it can't verify", () => {
      it("sends nothing when it doesn't know the authority", async () => {
        const stranger = await tlsAuthority("Stranger");
        const suspicious = subject.transport(stranger.pem);
        for (const version of VERSIONS) {
          const request = new Request(servers.url(version, "/report"), {
            method: "POST",
            body: "secret",
          });
          await assert.rejects(suspicious.fetch(request, credential), TransportError, version);
          await servers.next(version, "closed");
          assert.equal(servers.count(version, "data"), 0, version);
        }
        await suspicious.close();
      });

      it("sends nothing when the certificate is for another host", async () => {
        const sent = send("wrongHost", "/report", { method: "POST", body: "secret" });
        await assert.rejects(sent, TransportError);
        await servers.next("wrongHost", "closed");
        assert.equal(servers.count("wrongHost", "data"), 0);
      });
    });

    describe("the client certificate", () => {
      for (const algorithm of algorithms) {
        for (const version of VERSIONS) {
          it(`is presented with a key ${algorithm} over ${version}`, async () => {
            const client = await authority.client(await subject.key(algorithm));
            const request = new Request(servers.url(version, "/report"));
            const seen = await report(await transport.fetch(request, client));
            assert.equal(seen.certificate, hex(fromBase64url(client.thumbprint)));
            assert.equal(seen.authorized, true);
            assert.equal(seen.protocol, version);
          });
        }
      }

      it("is presented to a server with an RSA key", async () => {
        const seen = await report(await send("RSA", "/report"));
        assert.equal(seen.certificate, hex(fromBase64url(credential.thumbprint)));
      });

      it("never goes over a connection made with another", async () => {
        const other = await authority.client(await subject.key(algorithms[0]!));
        const url = servers.url("https", "/report");
        const seen: RequestReport[] = [];
        for (const client of [credential, other, credential, other]) {
          seen.push(await report(await transport.fetch(new Request(url), client)));
        }
        const prints = [credential, other].map((one) => hex(fromBase64url(one.thumbprint)));
        assert.deepEqual(seen.map((one) => one.certificate), [...prints, ...prints]);
        assert.notEqual(seen[0]!.connection, seen[1]!.connection);
      });
    });

    describe("TLS versions", () => {
      for (const version of heldVersions) {
        it(`are held to ${version}`, async () => {
          const options = { minVersion: version, maxVersion: version };
          const request = new Request(servers.url("https", "/report"));
          const seen = await report(await transport.fetch(request, credential, options));
          assert.equal(seen.protocol, version);
          const wrong = VERSIONS.find((one) => one !== version)!;
          const refused = new Request(servers.url(wrong, "/report"));
          await assert.rejects(transport.fetch(refused, credential, options), TransportError);
        });
      }
    });

    describe("the request", () => {
      it("arrives as it was: method, path, query, headers, body", async () => {
        const seen = await report(
          await send("https", "/report/%7Bpath%7D?a=b%20c&d", {
            method: "PATCH",
            headers: { "x-one": "1", "x-two": "a, b", authorization: "mtls_pop abc" },
            body: "body",
          }),
        );
        assert.equal(seen.method, "PATCH");
        assert.equal(seen.path, "/report/%7Bpath%7D?a=b%20c&d");
        assert.equal(header(seen, "x-one"), "1");
        assert.equal(header(seen, "x-two"), "a, b");
        assert.equal(header(seen, "authorization"), "mtls_pop abc");
        assert.equal(header(seen, "accept-encoding"), undefined);
        assert.equal(seen.body, "body");
      });

      it("has a content length where the body is text, a form or bytes", async () => {
        const form = new URLSearchParams({ grant_type: "client_credentials", scope: "a b" });
        const bodies: [BodyInit, string][] = [
          ["héllo", "héllo"],
          ["", ""],
          [form, "grant_type=client_credentials&scope=a+b"],
          [new TextEncoder().encode("bytes"), "bytes"],
          ["x".repeat(50_000), "x".repeat(50_000)],
        ];
        for (const [body, text] of bodies) {
          const seen = await report(await send("https", "/report", { method: "POST", body }));
          assert.equal(seen.body, text);
          assert.equal(header(seen, "transfer-encoding"), undefined);
          assert.equal(
            header(seen, "content-length"),
            String(new TextEncoder().encode(text).length),
          );
        }
      });

      it("streams a body whose length nobody knows", async () => {
        const parts = ["one ", "two ".repeat(20_000), "three"];
        for (const method of ["POST", "PUT"]) {
          const init = { method, body: streamOf(...parts), duplex: "half" } as const;
          const seen = await report(await send("https", "/report", init));
          assert.equal(seen.body, parts.join(""));
          assert.equal(header(seen, "transfer-encoding"), "chunked");
          assert.equal(header(seen, "content-length"), undefined);
        }
      });

      it("has no body where there is none", async () => {
        for (const method of ["GET", "DELETE", "POST"]) {
          const seen = await report(await send("https", "/report", { method }));
          assert.equal(seen.method, method);
          assert.equal(seen.body, "");
          assert.equal(header(seen, "transfer-encoding"), undefined, method);
        }
      });

      it("is for the server of the URL whatever its headers say", async () => {
        const headers = {
          host: "wrong.example",
          connection: "upgrade",
          "transfer-encoding": "chunked",
        };
        const seen = await report(await send("https", "/report", { headers }));
        assert.equal(header(seen, "host"), new URL(servers.url("https")).host);
        assert.equal(header(seen, "transfer-encoding"), undefined);
      });

      it("ends where the response does, its own end or not", async () => {
        let cancel: () => void;
        const cancelled = new Promise<void>((resolve) => cancel = resolve);
        const body = new ReadableStream({
          pull: (controller) => controller.enqueue(new Uint8Array(32_768)),
          cancel: () => cancel(),
        }, { highWaterMark: 0 });
        const response = await send("early", "/", { method: "POST", body, duplex: "half" });
        assert.equal(await response.text(), "early");
        await cancelled;
      });

      it("rejects with what its body fails with", async () => {
        const reason = new Error("no more to say");
        const body = new ReadableStream({
          pull(controller) {
            if (controller.desiredSize! > 0) controller.enqueue(new TextEncoder().encode("x"));
            controller.error(reason);
          },
        }, { highWaterMark: 0 });
        const sent = send("https", "/report", { method: "POST", body, duplex: "half" });
        await assert.rejects(sent, (error) => error === reason);
      });
    });

    describe("the response", () => {
      it("keeps headers that come more than once", async () => {
        const response = await send("https", "/headers");
        assert.deepEqual(response.headers.getSetCookie(), ["a=1; Path=/", "b=2"]);
        assert.equal(response.headers.get("x-twice"), "one, two");
        await response.body?.cancel();
      });

      it("is an answer whatever its status, a redirect included", async () => {
        for (const status of [200, 302, 307, 404, 429, 503]) {
          const response = await send("https", `/status/${status}`);
          assert.equal(response.status, status);
          assert.equal(await response.text(), "body");
        }
        const redirect = await send("https", "/status/302");
        assert.equal(redirect.headers.get("location"), "/report");
        await redirect.body?.cancel();
      });

      it("has no body with status 204 and 304 and after HEAD, and its connection goes on", async () => {
        const connections: number[] = [];
        for (
          const [path, method] of [["/status/204", "GET"], ["/status/304", "GET"], [
            "/report",
            "HEAD",
          ]]
        ) {
          const response = await send("https", path!, { method: method! });
          assert.equal(response.body, null);
          connections.push((await report(await send("https", "/report"))).connection);
        }
        assert.equal(new Set(connections).size, 1);
      });

      it("is the final one, not an informational one before it", async () => {
        const response = await send("https", "/hints");
        assert.equal(response.status, 200);
        assert.equal(await response.text(), "final");
      });

      it("is not decompressed", async () => {
        const response = await send("https", "/compressed");
        assert.equal(await response.text(), "not gzip");
        assert.equal(response.headers.get("content-encoding"), "gzip");
      });

      it("is refused when its head is too large", async () => {
        const response = await send("https", "/head/8000");
        assert.equal(response.headers.get("x-padding")?.length, 8000);
        await response.body?.cancel();
        await assert.rejects(send("https", "/head/200000"), TransportError);
      });

      it("comes whole, however long it is", async () => {
        const length = 10_000_000;
        const response = await send("https", `/stream/${length}`);
        assert.equal((await response.arrayBuffer()).byteLength, length);
      });

      const paced = "comes only as fast as it is read";
      if (backPressure) {
        it(paced, async () => {
          const length = 64 * 1024 * 1024;
          const response = await send("https", `/stream/${length}`);
          let written = -1;
          for (let same = 0; same < 5;) {
            const now = Number(await (await send("https", "/streamed")).text());
            same = now === written ? same + 1 : 0;
            written = now;
          }
          assert.ok(written < length, "the whole body was sent while nobody read");
          let received = 0;
          for await (const chunk of response.body!) received += chunk.length;
          assert.equal(received, length);
        });
      }

      it("ends its connection when it is cancelled", async () => {
        const closed = servers.next("RSA", "closed");
        const response = await transport.fetch(
          new Request(servers.url("RSA", "/stream/1000000000")),
          credential,
          { connection: "fresh" },
        );
        await response.body!.cancel();
        await closed;
      });

      for (const how of readsBeforeReset ? ["reset", "fin"] : ["fin"]) {
        it(`fails in the middle where the connection ends by ${how}`, async () => {
          const response = await send("https", `/truncate/${how}`);
          assert.equal(response.status, 200);
          await assert.rejects(response.text(), (error) => {
            assert.ok(error instanceof TransportError);
            assert.equal(error.failure.stage, "headers");
            assert.equal(error.failure.responseStarted, true);
            return true;
          });
        });
      }
    });

    describe("connections", () => {
      it("are used again when pooled, and nobody needs to ask for it", async () => {
        const first = await report(await send("https", "/report"));
        const again = await report(await send("https", "/report"));
        assert.equal(again.connection, first.connection);
        assert.equal(again.request, first.request + 1);
      });

      it("carry bodies again and again, whichever request has one", async () => {
        for (const methods of ["GPG", "PPP", "PPG"]) {
          const client = await authority.client(await subject.key(algorithms[0]!));
          const seen: number[] = [];
          for (const method of methods) {
            const init = method === "G" ? {} : { method: "PUT", body: "something" };
            // Where a connection is spoiled, the request waits for ever.
            const signal = AbortSignal.timeout(20_000);
            const request = new Request(servers.url("https", "/report"), { ...init, signal });
            seen.push((await report(await transport.fetch(request, client))).request);
          }
          assert.deepEqual(seen, [1, 2, 3], methods);
        }
      });

      it("are a request's own when fresh: not pooled, not resumed, closed afterwards", async () => {
        await report(await send("https", "/report"));
        for (const version of heldVersions) {
          const seen: RequestReport[] = [];
          for (let i = 0; i < 2; i++) {
            const request = new Request(servers.url("https", "/report"));
            const options = { connection: "fresh", maxVersion: version } as const;
            seen.push(await report(await transport.fetch(request, credential, options)));
          }
          assert.deepEqual(seen.map((one) => one.request), [1, 1]);
          assert.deepEqual(seen.map((one) => one.sessionReused), [false, false]);
          assert.deepEqual(seen.map((one) => header(one, "connection")), ["close", "close"]);
        }
      });

      it("don't send a POST twice, whatever becomes of them", async () => {
        for (const how of ["reset", "fin"]) {
          const client = await authority.client(await subject.key(algorithms[0]!));
          const fetch = async (init?: RequestInit) => {
            const request = new Request(servers.url("TLSv1.2", `/second/${how}`), init);
            await (await transport.fetch(request, client)).text();
          };
          await fetch();
          await fence("TLSv1.2");
          const before = servers.count("TLSv1.2", "request");
          const post = () => fetch({ method: "POST", body: "once" });
          await Promise.allSettled([post(), post()]);
          await fence("TLSv1.2");
          assert.equal(servers.count("TLSv1.2", "request"), before + 3, how);
        }
      });

      it("of a retired certificate end: idle ones now, others when they are done", async () => {
        const client = await authority.client(await subject.key(algorithms[0]!));
        const fetch = (path: string) =>
          transport.fetch(new Request(servers.url("RSA", path)), client);
        const both = await Promise.all([fetch("/report"), fetch("/report")]);
        const open = new Set((await Promise.all(both.map(report))).map((seen) => seen.connection));
        assert.equal(open.size, 2);
        const ended = async (count: number) => {
          while (open.size > count) open.delete((await servers.next("RSA", "closed")).connection);
        };
        const busy = await fetch("/stream/3000000");
        transport.retire(client.thumbprint);
        await ended(1);
        assert.equal((await busy.arrayBuffer()).byteLength, 3_000_000);
        await ended(0);
        assert.equal((await report(await fetch("/report"))).request, 1);
        transport.retire("no such thumbprint");
      });
    });

    describe("the signal", () => {
      const reason = new DOMException("enough", "TimeoutError");
      const isReason = (error: unknown) => error === reason;

      it("ends a request that nobody answers", async () => {
        const controller = new AbortController();
        const sent = send("RSA", "/hold", { signal: controller.signal });
        const rejected = assert.rejects(sent, isReason);
        await arrival("RSA", "/hold");
        controller.abort(reason);
        await rejected;
      });

      it("ends a response that stalls", async () => {
        const controller = new AbortController();
        const response = await send("RSA", "/stall", { signal: controller.signal });
        const reader = response.body!.getReader();
        assert.equal(new TextDecoder().decode((await reader.read()).value), "0123456789");
        const rejected = assert.rejects(reader.read(), isReason);
        controller.abort(reason);
        await rejected;
      });

      it("ends a response that nobody reads", async () => {
        const controller = new AbortController();
        const response = await send("RSA", "/stream/100000000", { signal: controller.signal });
        controller.abort(reason);
        await assert.rejects(response.text(), isReason);
      });

      it("ends a request whose body never ends", async () => {
        const controller = new AbortController();
        let cancelled: unknown;
        const body = new ReadableStream({
          start: (stream) => stream.enqueue(new TextEncoder().encode("x")),
          cancel: (why) => void (cancelled = why),
        });
        const { signal } = controller;
        const sent = send("RSA", "/report", { method: "POST", body, duplex: "half", signal });
        const rejected = assert.rejects(sent, isReason);
        controller.abort(reason);
        await rejected;
        assert.equal(cancelled, reason);
      });

      it("is left without listeners when the exchange is over", async () => {
        const request = new Request(servers.url("https", "/report"));
        const { signal } = request;
        const { addEventListener, removeEventListener } = signal;
        let added = 0;
        let removed = 0;
        signal.addEventListener = (...args: Parameters<typeof addEventListener>) => {
          added++;
          addEventListener.apply(signal, args);
        };
        signal.removeEventListener = (...args: Parameters<typeof removeEventListener>) => {
          removed++;
          removeEventListener.apply(signal, args);
        };
        await (await transport.fetch(request, credential)).text();
        assert.ok(added > 0, "the request's own signal was not listened to");
        assert.equal(removed, added);
      });
    });

    describe("after close", () => {
      it("fails requests under way and to come with 'closed'", async () => {
        const closing = subject.transport(authority.pem);
        const request = (path: string) => new Request(servers.url("TLSv1.3", path));
        const streaming = await closing.fetch(request("/stall"), credential);
        const held = closing.fetch(request("/hold"), credential);
        const rejected = assert.rejects(held, rejectsWith("closed"));
        const cutOff = assert.rejects(streaming.text(), rejectsWith("closed"));
        await arrival("TLSv1.3", "/hold");
        await closing.close();
        await rejected;
        await cutOff;
        await assert.rejects(closing.fetch(request("/report"), credential), rejectsWith("closed"));
        await closing.close();
      });
    });
  });
}

function streamOf(...chunks: readonly string[]): ReadableStream<Uint8Array> {
  const left = [...chunks];
  return new ReadableStream({
    pull(controller) {
      const chunk = left.shift();
      if (chunk === undefined) controller.close();
      else controller.enqueue(new TextEncoder().encode(chunk));
    },
  });
}
