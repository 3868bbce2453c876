/**
 * What is read of a server beside SChannel: its version and alerts on the wire, and the hosts that
 * its certificate is for.
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ServerFlight } from "../../backends/schannel/server_flight.ts";
import { isFor } from "../../backends/schannel/server_name.ts";
import { type Bytes, concat } from "../../src/encoding.ts";
import { issueCertificate } from "../support/certificates.ts";
import {
  alertRecord,
  handshakeRecord,
  serverHello,
  serverHelloMessage,
  TLS_1_2,
  TLS_1_3,
} from "./support/records.ts";

const CHANGE_CIPHER_SPEC = Uint8Array.of(20, 3, 3, 0, 1, 1);
const CERTIFICATE = Uint8Array.of(11, 0, 0, 3, 1, 2, 3);

/** What is seen of these bytes, whole and one by one. */
function seen(bytes: Bytes): { alert: number | undefined; version: string | undefined } {
  const [whole, single] = [new ServerFlight(), new ServerFlight()];
  whole.read(bytes);
  for (const byte of bytes) single.read(Uint8Array.of(byte));
  const { alert, version } = whole;
  assert.deepEqual({ alert: single.alert, version: single.version }, { alert, version });
  return { alert, version };
}

describe("a server's flight", () => {
  it("tells nothing where it isn't TLS, is cut short or chooses what isn't known", () => {
    const nothing = { alert: undefined, version: undefined };
    assert.deepEqual(seen(new TextEncoder().encode("HTTP/1.1 400 Bad Request\r\n\r\n")), nothing);
    const hello = serverHello(TLS_1_3);
    assert.deepEqual(seen(hello.slice(0, -1)), nothing);
    assert.deepEqual(seen(serverHello([3, 2])), nothing);
    assert.deepEqual(seen(handshakeRecord(Uint8Array.of(2, 0, 0, 3, 3, 3, 0))), nothing);
    assert.deepEqual(seen(handshakeRecord(CERTIFICATE)), nothing);
  });

  it("tells the version that was chosen, wherever it stands", () => {
    assert.equal(seen(serverHello(TLS_1_2)).version, "TLSv1.2");
    assert.equal(seen(serverHello(TLS_1_3)).version, "TLSv1.3");
    assert.equal(seen(handshakeRecord(serverHelloMessage(TLS_1_3, 0))).version, "TLSv1.3");
    const message = serverHelloMessage(TLS_1_3);
    const together = handshakeRecord(concat(message, CERTIFICATE));
    assert.equal(seen(together).version, "TLSv1.3");
    const parted = concat(
      handshakeRecord(message.slice(0, 3)),
      handshakeRecord(message.slice(3)),
      handshakeRecord(CERTIFICATE),
    );
    assert.equal(seen(parted).version, "TLSv1.3");
  });

  it("tells the first ServerHello's version and not that of a later message", () => {
    const both = concat(serverHello(TLS_1_2), serverHello(TLS_1_3));
    assert.equal(seen(both).version, "TLSv1.2");
  });

  it("tells an alert in the clear, before and after other records", () => {
    assert.equal(seen(alertRecord(40)).alert, 40);
    assert.equal(seen(concat(serverHello(TLS_1_2), alertRecord(42))).alert, 42);
  });

  it("takes nothing for an alert that is encrypted", () => {
    assert.equal(seen(concat(CHANGE_CIPHER_SPEC, alertRecord(42))).alert, undefined);
    const long = Uint8Array.of(21, 3, 3, 0, 4, 2, 42, 0, 0);
    assert.equal(seen(long).alert, undefined);
    const application = Uint8Array.of(23, 3, 3, 0, 2, 2, 42);
    assert.equal(seen(concat(application, alertRecord(42))).alert, undefined);
  });
});

describe("a server's certificate", () => {
  const check = async (hosts: readonly string[] | undefined, host: string) => {
    const subject = "CN=common.example";
    return isFor((await issueCertificate({ subject, ...(hosts && { hosts }) })).der, host);
  };

  it("isn't for a name that only its subject or another certificate has", async () => {
    assert.equal(await check(["other.example"], "common.example"), false);
    assert.equal(await check(undefined, "common.example"), false);
    assert.equal(await check(["a.example"], "b.example"), false);
    assert.equal(await check(["a.example"], "a.example.evil.test"), false);
    assert.equal(await check(["a.example"], ""), false);
  });

  it("is for its names, in any case, with or without the dot of the root", async () => {
    for (const host of ["a.example", "A.Example", "a.example."]) {
      assert.equal(await check(["x.example", "a.example"], host), true, host);
    }
  });

  it("has wildcards for one whole label, the first", async () => {
    assert.equal(await check(["*.a.example"], "b.a.example"), true);
    for (const host of ["a.example", "c.b.a.example", ".a.example"]) {
      assert.equal(await check(["*.a.example"], host), false, host);
    }
    assert.equal(await check(["*.example"], "a.example"), false);
    assert.equal(await check(["b*.a.example"], "bc.a.example"), false);
    assert.equal(await check(["*"], "localhost"), false);
    assert.equal(await check(["*.0.0.1"], "127.0.0.1"), false);
  });

  it("is for its addresses, however they are written", async () => {
    assert.equal(await check(["127.0.0.1"], "127.0.0.1"), true);
    assert.equal(await check(["127.0.0.1"], "127.0.0.2"), false);
    assert.equal(await check(["2001:db8::1"], "2001:DB8:0:0::1"), true);
    assert.equal(await check(["2001:db8::1"], "2001:db8::2"), false);
    assert.equal(await check(["::1"], "::1"), true);
    assert.equal(await check(["::"], "::"), true);
    assert.equal(await check(["2001:db8::102:304"], "2001:db8::1.2.3.4"), true);
    assert.equal(await check(["a.example"], "127.0.0.1"), false);
  });
});
