/**
 * The pieces of a handshake that fails on purpose: key schedule, records and messages, against
 * RFC 8448 and themselves.
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  applicationTraffic,
  expandLabel,
  handshakeSecret,
  handshakeTraffic,
  trafficKeys,
  verifyData,
} from "../../emulator/tls_fault/key_schedule.ts";
import {
  CLIENT_HELLO,
  handshakeMessage,
  MessageReader,
  parseCertificate,
  parseClientHello,
  TLS12,
  TLS13,
} from "../../emulator/tls_fault/messages.ts";
import {
  ALERT,
  HANDSHAKE,
  openRecord,
  plainRecords,
  RecordReader,
  sealRecords,
  type TlsRecord,
} from "../../emulator/tls_fault/records.ts";
import { uint, vector, WireReader } from "../../emulator/tls_fault/wire.ts";
import { concat, hex, utf8 } from "../../src/encoding.ts";

function bytes(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(text.replace(/\s/g, "").match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

describe("the key schedule, with the values of RFC 8448 section 3", () => {
  const secret = handshakeSecret(bytes(
    "8bd4054fb55b9d63fdfbacf9f04b9f0d35e6d63f537563efd46272900f89492d",
  ));
  const helloHash = bytes("860c06edc07858ee8e78f0e7428c58edd6b43f2ca3e6e95f02ed063cf0e1cad8");
  const finishedHash = bytes("9608102a0f1ccc6db6250b7b7e417b1a000eaada3daae4777a7686c9ff83df13");

  it("gives the handshake secrets", () => {
    assert.equal(
      hex(secret),
      "1dc826e93606aa6fdc0aadc12f741b01046aa6b99f691ed221a9f0ca043fbeac",
    );
    const { client, server } = handshakeTraffic(secret, helloHash);
    assert.equal(
      hex(client),
      "b3eddb126e067f35a780b3abf45e2d8f3b1a950738f52e9600746a0e27a55a21",
    );
    assert.equal(
      hex(server),
      "b67b7d690cc16c4e75e54213cb2d37b4e9c912bcded9105d42befd59d391ad38",
    );
  });

  it("gives the handshake keys", () => {
    const { client, server } = handshakeTraffic(secret, helloHash);
    assert.equal(hex(trafficKeys(client).key), "dbfaa693d1762c5b666af5d950258d01");
    assert.equal(hex(trafficKeys(client).iv), "5bd3c71b836e0b76bb73265f");
    assert.equal(hex(trafficKeys(server).key), "3fce516009c21727d0f2e4e86ee403bc");
    assert.equal(hex(trafficKeys(server).iv), "5d313eb2671276ee13000b30");
  });

  it("gives the application secrets and keys", () => {
    const { client, server } = applicationTraffic(secret, finishedHash);
    assert.equal(
      hex(client),
      "9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5",
    );
    assert.equal(
      hex(server),
      "a11af9f05531f856ad47116b45a950328204b4f44bfb6b3a4b4f1f3fcb631643",
    );
    assert.equal(hex(trafficKeys(server).key), "9f02283b6c9c07efc26bb9f2ac92e356");
    assert.equal(hex(trafficKeys(server).iv), "cf782b88dd83549aadf1e984");
  });

  it("gives the key and the value of a Finished message", () => {
    const { server } = handshakeTraffic(secret, helloHash);
    const key = expandLabel(server, "finished", new Uint8Array(0), 32);
    assert.equal(hex(key), "008d3b66f816ea559f96b537e885c31fc068bf492c652f01f288a1d8cdc19fc8");
    assert.notDeepEqual(verifyData(server, helloHash), verifyData(server, finishedHash));
  });

  it("protects an alert as both sides do there", () => {
    const { client, server } = applicationTraffic(secret, finishedHash);
    const closeNotify = bytes("0100");
    assert.equal(
      hex(sealRecords(trafficKeys(client), 1, ALERT, closeNotify)),
      "1703030013c9872760655666b74d7ff1153efd6db6d0b0e3",
    );
    assert.equal(
      hex(sealRecords(trafficKeys(server), 2, ALERT, closeNotify)),
      "1703030013b58fd67166ebf599d24720cfbe7efa7a8864a9",
    );
  });
});

describe("records", () => {
  const keys = { key: new Uint8Array(16).fill(1), iv: new Uint8Array(12).fill(2) };
  const only = (records: readonly TlsRecord[]) => {
    assert.equal(records.length, 1);
    return records[0]!;
  };

  it("are refused when they are none, or too long", () => {
    for (const text of ["160303ffff", "1303030001", "1803030001", "1602030001"]) {
      assert.throws(() => new RecordReader().push(bytes(text)), RangeError, text);
    }
  });

  it("are put together from any pieces", () => {
    const stream = concat(plainRecords(HANDSHAKE, utf8("one")), plainRecords(ALERT, utf8("two")));
    const reader = new RecordReader();
    const records = Array.from(stream, (byte) => reader.push(Uint8Array.of(byte))).flat();
    assert.deepEqual(records.map(({ type, fragment }) => [type, hex(fragment)]), [
      [HANDSHAKE, hex(utf8("one"))],
      [ALERT, hex(utf8("two"))],
    ]);
  });

  it("can't be opened when altered, with another number or with other keys", () => {
    const sealed = only(new RecordReader().push(sealRecords(keys, 7, HANDSHAKE, utf8("secret"))));
    const altered = {
      ...sealed,
      fragment: Uint8Array.from(sealed.fragment, (byte, i) => byte ^ +!i),
    };
    assert.throws(() => openRecord(keys, 7, altered));
    assert.throws(() => openRecord(keys, 8, sealed));
    assert.throws(() => openRecord({ ...keys, iv: new Uint8Array(12) }, 7, sealed));
    const opened = openRecord(keys, 7, sealed);
    assert.deepEqual(opened, { type: HANDSHAKE, fragment: utf8("secret") });
  });

  it("are several for content that is too long for one", () => {
    const content = new Uint8Array(40_000).map((_byte, i) => i);
    const records = new RecordReader().push(sealRecords(keys, 300, HANDSHAKE, content));
    assert.equal(records.length, 3);
    const opened = records.map((record, i) => openRecord(keys, 300 + i, record).fragment);
    assert.deepEqual(concat(...opened), content);
  });
});

describe("messages", () => {
  const extension = (type: number, ...body: Uint8Array[]) =>
    concat(uint(type, 2), vector(2, ...body));
  const hello = concat(
    uint(TLS12, 2),
    new Uint8Array(32).fill(7),
    vector(1, bytes("0102")),
    vector(2, uint(0x1301, 2), uint(0xc02f, 2)),
    vector(1, uint(0, 1)),
    vector(
      2,
      extension(0, vector(2, uint(0, 1), vector(2, utf8("localhost")))),
      extension(10, vector(2, uint(29, 2), uint(23, 2))),
      extension(13, vector(2, uint(0x0804, 2))),
      extension(43, vector(1, uint(TLS13, 2), uint(TLS12, 2))),
      extension(51, vector(2, uint(29, 2), vector(2, new Uint8Array(32).fill(9)))),
    ),
  );

  it("are refused when cut short anywhere", () => {
    for (let length = 0; length < hello.length; length++) {
      // Without the extensions it is a ClientHello all the same.
      if (length === 45) continue;
      assert.throws(() => parseClientHello(hello.subarray(0, length)), RangeError, String(length));
    }
    assert.throws(() => new WireReader(bytes("0102")).uint(3), RangeError);
    assert.throws(() => vector(1, new Uint8Array(256)), RangeError);
  });

  it("are refused when they claim to be too long", () => {
    assert.throws(() => new MessageReader().push(bytes("01ffffff")), RangeError);
  });

  it("tell what a client offers", () => {
    const { keyShares, ...rest } = parseClientHello(hello);
    assert.deepEqual(rest, {
      random: new Uint8Array(32).fill(7),
      sessionId: bytes("0102"),
      cipherSuites: [0x1301, 0xc02f],
      versions: [TLS13, TLS12],
      groups: [29, 23],
      signatureSchemes: [0x0804],
      serverName: "localhost",
    });
    assert.deepEqual([...keyShares], [[29, new Uint8Array(32).fill(9)]]);
    const old = parseClientHello(hello.subarray(0, 45));
    assert.deepEqual([old.versions, old.groups, old.serverName], [[TLS12], [], undefined]);
  });

  it("are put together from fragments", () => {
    const reader = new MessageReader();
    const whole = handshakeMessage(CLIENT_HELLO, hello);
    assert.deepEqual(reader.push(whole.subarray(0, 50)), []);
    const messages = reader.push(concat(whole.subarray(50), handshakeMessage(11, utf8("x"))));
    assert.deepEqual(messages.map(({ type }) => type), [CLIENT_HELLO, 11]);
    assert.deepEqual(messages[0]!.body, hello);
    assert.deepEqual(messages[0]!.whole, whole);
  });

  it("hold the client's chain in both versions", () => {
    const [a, b] = [utf8("leaf"), utf8("issuer")];
    const tls12 = vector(3, vector(3, a), vector(3, b));
    const tls13 = concat(vector(1), vector(3, vector(3, a), vector(2), vector(3, b), vector(2)));
    assert.deepEqual(parseCertificate(tls12, TLS12), [a, b]);
    assert.deepEqual(parseCertificate(tls13, TLS13), [a, b]);
  });
});
