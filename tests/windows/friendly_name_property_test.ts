/**
 * What holds for every friendly name and for what else Windows writes for us.
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { decodeFriendlyName, encodeFriendlyName } from "../../backends/windows/friendly_name.ts";
import { decodeKeyProvInfo, encodeKeyProvInfo } from "../../backends/windows/key_prov_info.ts";
import { mutexName } from "../../backends/windows/names.ts";
import { readEntry } from "../../backends/windows/store_entry.ts";
import { fromWide, wide } from "../../backends/ffi/wide_text.ts";
import { hex } from "../../src/encoding.ts";
import { certificateAlias, resolveIdentity } from "../../src/identity.ts";

const part = fc.string({
  unit: fc.oneof(
    fc.constantFrom("a", " ", "=", "#", "|", "\r", "\n", "\0", "alias=", "ep=", "MSAL", "\u00a0"),
    fc.nat(0xffff).map((code) => String.fromCharCode(code)),
  ),
  maxLength: 6,
});

describe("any friendly name", () => {
  it("that is made says alias and endpoint as they were, but for white space around them", () => {
    fc.assert(fc.property(part, part, (alias, endpoint) => {
      const text = encodeFriendlyName({ alias, endpoint });
      if (text === undefined) return;
      assert.deepEqual(decodeFriendlyName(text), {
        alias: alias.trim(),
        endpoint: endpoint.trim(),
      });
    }));
  });

  it("is made unless a part is blank or can't be told from what is around it", () => {
    fc.assert(fc.property(part, part, (alias, endpoint) => {
      const isBad = [alias, endpoint].some((text) => /^\s*$|[|\r\n\0]/.test(text.trim()));
      assert.equal(encodeFriendlyName({ alias, endpoint }) === undefined, isBad);
    }));
  });

  it("is another one for another alias or endpoint", () => {
    fc.assert(fc.property(part, part, part, part, (a, b, c, d) => {
      const [one, other] = [
        encodeFriendlyName({ alias: a, endpoint: b }),
        encodeFriendlyName({ alias: c, endpoint: d }),
      ];
      if (one === undefined || other === undefined) return;
      assert.equal(one === other, a.trim() === c.trim() && b.trim() === d.trim());
    }));
  });

  it("that somebody else wrote never names an alias with a separator in it", () => {
    fc.assert(fc.property(fc.array(part, { maxLength: 5 }), (parts) => {
      const name = decodeFriendlyName(`MSAL|${parts.join("|")}`);
      if (name === undefined) return;
      for (const text of [name.alias, name.endpoint]) {
        assert.ok(text !== "" && text === text.trim() && !text.includes("|"));
      }
    }));
  });

  it("can be made for the alias of any identity", () => {
    const id = fc.string({ minLength: 1, maxLength: 20 })
      .filter((text) => /^(?!\s*$)[^|\p{Cc}]+$/u.test(text) && text === text.trim());
    fc.assert(fc.property(id, fc.boolean(), (clientId, attested) => {
      const alias = certificateAlias(resolveIdentity({ clientId }), attested);
      const text = encodeFriendlyName({ alias, endpoint: "https://e.example" });
      assert.equal(decodeFriendlyName(text!)?.alias, alias);
    }));
  });
});

describe("any certificate under any friendly name", () => {
  it("is no entry unless both are ours", () => {
    fc.assert(fc.property(part, fc.uint8Array({ maxLength: 40 }), (text, der) => {
      const friendlyName = `MSAL|alias=a|ep=https://e.example${text}`;
      const stored = { der: der.slice(), friendlyName, keyContainer: undefined };
      assert.equal(readEntry(stored, "a"), undefined);
    }));
  });
});

describe("any wide text", () => {
  it("comes back up to its first zero, lone surrogates included", () => {
    fc.assert(fc.property(fc.array(fc.nat(0xffff)), (units) => {
      const text = String.fromCharCode(...units);
      assert.equal(fromWide(wide(text)), text.split("\0")[0]);
    }));
  });
});

describe("any place of a key", () => {
  const platform = fc.constantFrom(
    { pointer: 8, long: 4 } as const,
    { pointer: 4, long: 4 } as const,
  );
  const name = fc.string({ minLength: 1, maxLength: 20 }).filter((text) => !text.includes("\0"));
  const place = fc.record({
    container: name,
    provider: name,
    providerType: fc.nat(0xffff),
    keySpec: fc.nat(2),
    machine: fc.boolean(),
  }, { noNullPrototype: true });
  const address = fc.bigInt({ min: 0x1000n, max: 0x7fff_0000n });

  it("comes back as it was, wherever it lies", () => {
    fc.assert(fc.property(place, platform, address, (container, system, at) => {
      const bytes = encodeKeyProvInfo(container, system, () => at);
      assert.deepEqual(decodeKeyProvInfo(bytes, system, at), container);
    }));
  });

  it("cut short or moved is read as less or not at all, never from beyond its bytes", () => {
    const change = fc.tuple(fc.nat(), fc.bigInt({ min: -64n, max: 64n }));
    fc.assert(fc.property(place, platform, address, change, (container, system, at, change) => {
      const bytes = encodeKeyProvInfo(container, system, () => at);
      const [cut, moved] = change;
      const read = decodeKeyProvInfo(bytes.slice(0, cut % bytes.length), system, at + moved);
      const all = hex(bytes);
      for (const text of [read?.container ?? "", read?.provider ?? ""]) {
        assert.ok(all.includes(hex(wide(text).slice(0, -2))));
      }
    }));
  });
});

describe("the mutex of any two aliases", () => {
  it("is one where they differ by ASCII case or white space around them alone", () => {
    const alias = fc.string({ unit: fc.constantFrom("a", "A", "b", "#", "0", " "), maxLength: 5 });
    fc.assert(fc.property(alias, alias, (a, b) => {
      const isSame = a.trim().toLowerCase() === b.trim().toLowerCase();
      assert.equal(mutexName(a) === mutexName(b), isSame);
    }));
  });
});
