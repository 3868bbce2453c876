/**
 * Requests to a resource server when something changes under them: bodies that can be sent once,
 * signals, bindings that die between token and request; and URLs that are refused.
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { inspect } from "node:util";
import { base64, utf8 } from "../../src/encoding.ts";
import type { KeyboundEvent } from "../../src/events.ts";
import type { BoundRequestInit } from "../../src/managed_identity_options.ts";
import type { MtlsTransport } from "../../src/transports.ts";
import { DAY, fakeAzure, status, VAULT, wire } from "../support/fake_azure.ts";
import { until } from "../support/waiting.ts";

const OTHER = "https://management.azure.com";
const URL = "https://my-vault.vault.azure.net/secrets/s?api-version=7.4";
const CLAIMS = base64(utf8('{"access_token":{"nbf":{"essential":true,"value":"1"}}}'));
const CHALLENGE = status(401, { error: "unauthorized" }, {
  "www-authenticate": `Bearer error="insufficient_claims", claims="${CLAIMS}"`,
});

async function* pieces(): AsyncGenerator<Uint8Array> {
  yield await Promise.resolve(utf8("in "));
  yield utf8("pieces");
}

/** `RequestInit` doesn't know of async iterables, and not everywhere of `duplex`. */
function streaming(body: unknown): BoundRequestInit {
  return { resource: VAULT, method: "PUT", body, duplex: "half" } as BoundRequestInit;
}

/** The fetch standard knows no async iterables as bodies; some runtimes take them, some don't. */
const takesIterables = await new Promise<boolean>((resolve) => {
  const request = () => new Request(URL, streaming(pieces())).text();
  Promise.resolve().then(request).then(
    (text) => resolve(text === "in pieces"),
    () => resolve(false),
  );
});

describe("a body that can be sent once", () => {
  const bodies: [name: string, body: () => unknown, text: string][] = [
    ["a stream", () => new Blob(["streamed"]).stream(), "streamed"],
  ];
  if (takesIterables) bodies.push(["an async iterable", pieces, "in pieces"]);

  for (const [name, body, text] of bodies) {
    it(`is sent once though the server challenges: ${name}`, async () => {
      const azure = await fakeAzure();
      azure.always("resource", CHALLENGE);
      const response = await azure.identity().fetch(URL, streaming(body()));
      assert.equal(response.status, 401);
      assert.equal(azure.counts(), "1+1+1+1");
      assert.equal(azure.sent.at(-1)!.body, text);
    });

    it(`is sent once though the connection failed, and the key is healed: ${name}`, async () => {
      const azure = await fakeAzure();
      const identity = azure.identity();
      await identity.getToken({ resource: VAULT });
      await azure.keys.remove("keybound");
      azure.script("resource", wire({}));
      await assert.rejects(identity.fetch(URL, streaming(body())), {
        code: "tls_credential_suspect",
      });
      assert.equal(azure.counts(), "2+2+1+1");
      assert.equal((await identity.fetch(URL, streaming(body()))).status, 200);
      assert.equal(azure.counts(), "2+2+2+2");
      assert.equal(azure.sent.at(-1)!.body, text);
    });
  }
});

describe("the caller's signal", () => {
  it("is followed by the very request that the transport has, after fetch has resolved", async () => {
    const azure = await fakeAzure();
    let received: Request | undefined;
    const transport: MtlsTransport = {
      ...azure.transport,
      fetch: (request, credential, options) => {
        received = request;
        return azure.transport.fetch(request, credential, options);
      },
    };
    const identity = azure.identity({ transports: [transport] });
    const controller = new AbortController();
    await identity.fetch(URL, {
      resource: VAULT,
      headers: { "x-a": "b" },
      signal: controller.signal,
    });
    (globalThis as { gc?: () => void }).gc?.();
    assert.match(received!.headers.get("authorization")!, /^mtls_pop ./);
    assert.equal(received!.headers.get("x-a"), "b");
    assert.equal(received!.signal.aborted, false);
    controller.abort(new Error("Called off by the test."));
    assert.equal(received!.signal.aborted, true);
  });
});

describe("a token whose binding has a successor and whose key has died", () => {
  it("is never sent with the dead key: a token of the new binding is", async () => {
    const azure = await fakeAzure();
    azure.settings.tokenLifetime = 6 * DAY;
    azure.settings.refreshIn = 6 * DAY;
    let dying = false;
    const identity = azure.identity({
      onEvent: (event: KeyboundEvent) => {
        azure.events.push(event);
        // Between the proof of the old binding and the search for the successor's key.
        if (dying && event.type === "probe") azure.keys.remove("keybound");
      },
    });
    const old = (await identity.getToken({ resource: VAULT })).binding.credential;
    await azure.clock.advance(3.6 * DAY);
    dying = true;
    await identity.getToken({ resource: OTHER });
    dying = false;
    await until(() => azure.events.some(({ type }) => type === "renew"));
    await assert.rejects(old.key.sign(old.key.schemes[0]!, utf8("x")), { code: "key_unusable" });
    await identity.fetch(URL, { resource: VAULT });
    const { accessToken, binding } = await identity.getToken({ resource: VAULT });
    const sent = azure.sent.filter(({ endpoint }) => endpoint === "resource");
    assert.notEqual(binding.credential.thumbprint, old.thumbprint);
    assert.deepEqual(sent.map(({ thumbprint }) => thumbprint), [binding.credential.thumbprint]);
    const [, payload] = sent[0]!.headers.get("authorization")!.split(".");
    const claims = JSON.parse(atob(payload!.replaceAll("-", "+").replaceAll("_", "/")));
    assert.equal(claims.cnf["x5t#S256"], binding.credential.thumbprint);
    assert.notEqual(accessToken, "");
    assert.equal(azure.counts().split("+")[1], "2", "the renewal's, and no heal's");
  });
});

describe("a URL that is refused", () => {
  const urls = [
    "https://hunter2:correct-horse@private-host.example/",
    "https://private-host.example:99999/?sig=correct-horse",
    "https://[hunter2-correct-horse-private-host",
    "hunter2 correct-horse private-host",
    "http://private-host.example/?sig=correct-horse&user=hunter2",
  ];
  for (const [i, url] of urls.entries()) {
    it(`is in no part of the error (${i + 1})`, async () => {
      const azure = await fakeAzure();
      const error: unknown = await azure.identity().fetch(url, { resource: VAULT }).then(
        () => undefined,
        (thrown) => thrown,
      );
      assert.equal((error as { code?: string } | undefined)?.code, "invalid_argument");
      assert.equal(azure.counts(), "0+0+0+0");
      const seen = inspect(error, { depth: 20, showHidden: true });
      for (const part of ["hunter2", "correct-horse", "private-host"]) {
        assert.equal(seen.includes(part), false, part);
      }
    });
  }
});
