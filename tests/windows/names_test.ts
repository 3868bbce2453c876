/**
 * The names that .NET's library sees: friendly names, mutexes, keys (protocol.md sections 3.4, 10.5
 * and 10.6).
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isStoreDisabled } from "../../backends/windows/mod.ts";
import { decodeFriendlyName, encodeFriendlyName } from "../../backends/windows/friendly_name.ts";
import { keyName, mutexName } from "../../backends/windows/names.ts";

const ALIAS = "system_assigned_managed_identity#att=1";
const ENDPOINT = "https://centralus.mtlsauth.example/751a212b-4003-416e-b600-e1f48e40db9f";

describe("a friendly name", () => {
  it("says alias and endpoint, and comes back as it was (EncodeDecode_RoundTrip_Succeeds)", () => {
    const text = encodeFriendlyName({ alias: ALIAS, endpoint: ENDPOINT });
    assert.equal(text, `MSAL|alias=${ALIAS}|ep=${ENDPOINT}`);
    assert.deepEqual(decodeFriendlyName(text), { alias: ALIAS, endpoint: ENDPOINT });
  });

  for (const part of ["", " ", "\t\n", "a|b", "|", "a\rb", "a\nb", "a\0b"]) {
    it(`isn't made of ${JSON.stringify(part)} (TryEncode_Rejects_IllegalInputs)`, () => {
      assert.equal(encodeFriendlyName({ alias: part, endpoint: ENDPOINT }), undefined);
      assert.equal(encodeFriendlyName({ alias: ALIAS, endpoint: part }), undefined);
    });
  }

  for (const text of ["", "alias=a|ep=b", "msal|alias=a|ep=b", "MSAL", " MSAL|alias=a|ep=b", "X"]) {
    it(`isn't read from ${JSON.stringify(text)} (TryDecode_InvalidPrefix_ReturnsFalse)`, () => {
      assert.equal(decodeFriendlyName(text), undefined);
    });
  }

  for (
    const text of ["MSAL|", "MSAL|alias=a", "MSAL|ep=b", "MSAL|alias=|ep=b", "MSAL|alias=a|ep= "]
  ) {
    it(`isn't read from ${JSON.stringify(text)}, which lacks a part`, () => {
      assert.equal(decodeFriendlyName(text), undefined);
    });
  }

  it("may have other tags; the last of several counts (Decode_Ignores_Unknown_Tags_LastWins)", () => {
    const text = "MSAL|alias=a|x=y|ep=b||=|alias= c=d |noise|ep=e";
    assert.deepEqual(decodeFriendlyName(text), { alias: "c=d", endpoint: "e" });
  });

  it("may have its prefix twice (TryDecode_DoublePrefixedString_IsResilient)", () => {
    assert.deepEqual(decodeFriendlyName("MSAL|MSAL|alias=a|ep=b"), { alias: "a", endpoint: "b" });
  });

  it("is trimmed in its parts", () => {
    assert.equal(encodeFriendlyName({ alias: " a ", endpoint: " b " }), "MSAL|alias=a|ep=b");
  });

  for (const alias of ["x".repeat(10_000), "schlüssel-キー-🔑#att=0"]) {
    it(`of any length and script round-trips (EncodeDecode_…, ${alias.length} characters)`, () => {
      const name = { alias, endpoint: `https://${"y".repeat(10_000)}.example/キー` };
      assert.deepEqual(decodeFriendlyName(encodeFriendlyName(name)!), name);
    });
  }
});

describe("the name of a mutex (GetMutexName_Format_And_Canonicalization)", () => {
  // Hashes by another implementation of SHA-256.
  const names: [string, string][] = [
    ["system_assigned_managed_identity#att=0", "a924deea403135e335f427bfd477aae8"],
    ["foo", "9520437ce8902eb379a7d8aaa98fc4c9"],
    ["  FoO\t", "9520437ce8902eb379a7d8aaa98fc4c9"],
    ["äö-straße", "0819e7724b38edd9a41346b56024f5ce"],
    ["", "0"],
    [" \n", "0"],
  ];
  for (const [alias, hash] of names) {
    it(`for ${JSON.stringify(alias)} ends in ${hash}`, () => {
      assert.equal(mutexName(alias), `MSAL_MI_P_${hash}`);
    });
  }

  it("has one length, however long the alias (TryWithAliasLock_VeryLongAlias)", () => {
    assert.match(mutexName("x".repeat(5000)), /^MSAL_MI_P_[0-9a-f]{32}$/);
  });
});

describe("the name of a key", () => {
  it("is .NET's for the key that is shared with it, as KeyGuard key alone", () => {
    assert.equal(keyName("KeyGuardRSAKey", "keyguard"), "KeyGuardRSAKey");
    assert.notEqual(keyName("KeyGuardRSAKey", "software"), "KeyGuardRSAKey");
  });

  it("differs wherever ids or strengths differ, also where case doesn't count", () => {
    const ids = [
      "KeyGuardRSAKey",
      "keyguardrsakey",
      "a",
      "A",
      "a ",
      "\ud800",
      "\ud801",
      "x".repeat(300),
    ];
    const names = ids.flatMap((id) =>
      (["keyguard", "hardware", "software"] as const).map((strength) => keyName(id, strength))
    ).map((name) => name.toLowerCase());
    assert.equal(new Set(names).size, 3 * ids.length);
    for (const name of names) assert.match(name, /^[a-z0-9-]{1,64}$/);
  });
});

describe("the switch of .NET's library", () => {
  const rows: [string | undefined, boolean][] = [
    ["1", true],
    ["true", true],
    ["TRUE", true],
    ["0", false],
    ["yes", false],
    ["11", false],
    ["", false],
    [undefined, false],
  ];
  for (const [value, expected] of rows) {
    it(`${expected ? "is on" : "is off"} for ${JSON.stringify(value)} (Factory_…_EnvVar)`, () => {
      const environment = { MSAL_MI_DISABLE_PERSISTENT_CERT_CACHE: value };
      assert.equal(isStoreDisabled(environment), expected);
    });
  }
});
