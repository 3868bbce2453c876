/**
 * `pkcs11:` URIs (RFC 7512).
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { formatPkcs11Uri, parsePkcs11Uri, type Pkcs11Uri } from "../../backends/pkcs11/mod.ts";
import { isKeyboundError } from "../../src/errors.ts";

const REFUSED: readonly (readonly [string, string])[] = [
  ["no URI", "token=a"],
  ["another scheme", "PKCS11:token=a"],
  ["an attribute that isn't known", "pkcs11:colour=red"],
  ["a name that every object has", "pkcs11:constructor=a"],
  ["an attribute without a value", "pkcs11:token"],
  ["an empty attribute", "pkcs11:token=a;;object=b"],
  ["an attribute named twice", "pkcs11:token=a;token=b"],
  ["a query attribute named twice", "pkcs11:?module-path=/a&module-path=/b"],
  ["a query attribute in the path", "pkcs11:module-path=/a"],
  ["a path attribute in the query", "pkcs11:?token=a"],
  ["half an escape", "pkcs11:token=%4"],
  ["an escape that isn't hex", "pkcs11:token=%zz"],
  ["a blank", "pkcs11:token=a b"],
  ["a slash in the path", "pkcs11:token=a/b"],
  ["a fragment", "pkcs11:token=a#b"],
  ["text that isn't ASCII", "pkcs11:token=schlüssel"],
  ["text that isn't UTF-8", "pkcs11:token=%ff"],
  ["a slot that isn't a number", "pkcs11:slot-id=0x1"],
  ["a slot with a leading zero", "pkcs11:slot-id=01"],
  ["a type that there isn't", "pkcs11:type=key"],
  ["a relative module", "pkcs11:?module-path=libsofthsm2.so"],
  ["a module with a zero byte", "pkcs11:?module-path=/a%00b"],
  ["a module to be searched for", "pkcs11:?module-name=softhsm2"],
  ["a PIN", "pkcs11:?pin-value=1234"],
  ["a PIN from a command", "pkcs11:?pin-source=|cat%20/etc/pin"],
  ["a PIN from the network", "pkcs11:?pin-source=https://host/pin"],
  ["a PIN from a file of another host", "pkcs11:?pin-source=file://host/pin"],
  ["more than 4096 characters", `pkcs11:token=${"a".repeat(4096)}`],
];

const READ: readonly (readonly [string, Pkcs11Uri])[] = [
  ["pkcs11:", {}],
  ["pkcs11:token=The%20Token", { token: "The Token" }],
  ["pkcs11:token=a=b&c", { token: "a=b&c" }],
  ["pkcs11:object=schl%C3%BCssel;type=private", { object: "schlüssel", type: "private" }],
  ["pkcs11:id=%00%ff%41B", { id: Uint8Array.of(0, 255, 65, 66) }],
  ["pkcs11:slot-id=0", { slotId: 0 }],
  [
    "pkcs11:manufacturer=Snake%20Oil;serial=1;model=T",
    { manufacturer: "Snake Oil", serial: "1", model: "T" },
  ],
  ["pkcs11:?module-path=/usr/lib/x.so", { modulePath: "/usr/lib/x.so" }],
  [
    "pkcs11:token=a?pin-source=file:/etc/pin&module-path=/x.so",
    { token: "a", pinSource: "/etc/pin", modulePath: "/x.so" },
  ],
  ["pkcs11:?pin-source=file:///etc/pin", { pinSource: "/etc/pin" }],
  ["pkcs11:?pin-source=/etc/pin", { pinSource: "/etc/pin" }],
  ["pkcs11:?module-path=C:%5Ckeys%5Cp11.dll", { modulePath: "C:\\keys\\p11.dll" }],
];

describe("a pkcs11: URI", () => {
  for (const [what, uri] of REFUSED) {
    it(`is refused with invalid_argument for ${what}`, () => {
      assert.throws(
        () => parsePkcs11Uri(uri),
        (error) => isKeyboundError(error, "invalid_argument"),
      );
    });
  }

  it("isn't repeated in the error about it, for it may hold a PIN", () => {
    assert.throws(() => parsePkcs11Uri("pkcs11:token=a?pin-value=73915"), (error: Error) => {
      assert.ok(!`${error.message} ${error.stack}`.includes("73915"));
      assert.match(error.message, /pin-source/);
      return true;
    });
  });

  for (const [uri, expected] of READ) {
    it(`is read: ${uri}`, () => assert.deepEqual(parsePkcs11Uri(uri), expected));
  }

  it("is written so that it is read as what it was", () => {
    const all = {
      token: "a;b?c&d/e%",
      manufacturer: "m",
      serial: "0",
      model: "ü",
      slotId: 12,
      object: "k = 1",
      id: Uint8Array.from({ length: 256 }, (_, i) => i),
      type: "private",
    } as const;
    assert.deepEqual(parsePkcs11Uri(formatPkcs11Uri(all)), all);
  });

  it("is written without module and PIN", () => {
    const { token } = parsePkcs11Uri("pkcs11:token=a?pin-source=/p&module-path=/m");
    assert.equal(formatPkcs11Uri({ token: token! }), "pkcs11:token=a");
  });
});
