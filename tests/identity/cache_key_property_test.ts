/**
 * Keys under which tokens, entries and keys are kept: two things that differ never share one.
 *
 * @module
 */

import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import fc from "fast-check";
import { entryName, isEntryName } from "../../backends/files/entry.ts";
import { entryLabel } from "../../backends/pkcs11/store_entry.ts";
import { keyName } from "../../backends/windows/names.ts";
import { certificateAlias, type Identity, resolveIdentity } from "../../src/identity.ts";
import type { KeyStrength } from "../../src/keys.ts";
import type { ManagedIdentity, TokenOptions } from "../../src/managed_identity_options.ts";
import { queryKey, tokenQuery } from "../../src/rfc8705/query.ts";
import { bearerCacheKey } from "../../src/sources/bearer_way.ts";
import { fakeAzure } from "../support/fake_azure.ts";

/** Text that would be taken for a part of a key, were keys put together carelessly. */
const tricky = fc.string({
  unit: fc.constantFrom("a", "b", "/", "|", "#", "\\", '"', ",", "=", "true", "bearer", "[]"),
  minLength: 1,
  maxLength: 5,
});
const parameters = fc.dictionary(tricky, tricky, { maxKeys: 3 });

/** Pairs that are often the same and often differ in one place. */
function pairs<T extends object>(one: fc.Arbitrary<T>): fc.Arbitrary<readonly [T, T]> {
  return fc.tuple(one, one, fc.array(fc.nat(9), { maxLength: 9 })).map(([a, b, taken]) => {
    const names = Object.keys(a) as (keyof T)[];
    const same = taken.map((i) => names[i % names.length]!).map((name) => [name, a[name]]);
    return [a, { ...b, ...Object.fromEntries(same) }];
  });
}

/** Asserts that two have one key exactly where they say the same. */
function assertOneKey<T>(
  [a, b]: readonly [T, T],
  key: (one: T) => string,
  meaning: (one: T) => unknown,
): void {
  const isSame = JSON.stringify(meaning(a)) === JSON.stringify(meaning(b));
  assert.equal(key(a) === key(b), isSame);
}

describe("the key of a bearer token", () => {
  const asked = fc.record({ resource: tricky, extraQueryParameters: parameters });
  it("is shared by questions alike, whatever the order of their parameters, and by no others", () => {
    const of = (extraQueryParameters: Record<string, string>) => ({
      resource: "a",
      extraQueryParameters,
    });
    fc.assert(
      fc.property(pairs(asked), (two) => {
        assertOneKey(two, bearerCacheKey, ({ resource, extraQueryParameters }) => [
          resource.replace(/\/\.default$/, ""),
          Object.entries(extraQueryParameters).sort(([x], [y]) => x < y ? -1 : 1),
        ]);
      }),
      {
        // Alike if they were joined without quotes.
        examples: [
          [[of({ a: "b", c: "d" }), of({ a: "b,c,d" })]],
          [[of({ a: "b" }), of({ "a=b": "" })]],
          [[of({ a: 'b"],["c","d' }), of({ a: "b", c: "d" })]],
        ],
      },
    );
  });
});

describe("the key of a token of any authorization server", () => {
  const resource = fc.constantFrom("https://a", "https://b", "urn:c");
  const asked = fc.record({
    scope: fc.option(
      fc.array(fc.constantFrom("read", "write", "read,write", "[]"), { minLength: 1 })
        .map((scopes) => scopes.join(" ")),
      { nil: undefined },
    ),
    resource: fc.array(resource, { maxLength: 3 }),
    parameters: fc.dictionary(fc.constantFrom("audience", "x", "y"), tricky),
  });
  it("is shared by questions alike, whatever their order, and by no others", () => {
    fc.assert(fc.property(pairs(asked), (two) => {
      assertOneKey(two, (one) => queryKey(tokenQuery(one)), ({ scope, resource, parameters }) => [
        scope === undefined ? null : [...new Set(scope.split(" "))].sort(),
        [...new Set(resource)].sort(),
        Object.entries(parameters).sort(([x], [y]) => x < y ? -1 : 1),
      ]);
    }));
  });
});

describe("the key of a bound token", () => {
  let identity: ManagedIdentity;
  before(async () => {
    identity = (await fakeAzure()).identity();
  });

  /** As the cache has to tell them apart. */
  type Asked = Pick<TokenOptions, "resource" | "minStrength" | "clientClaims">;
  const meaning = ({ resource, minStrength, clientClaims }: Asked) =>
    JSON.stringify([
      resource.replace(/\/\.default$/, ""),
      minStrength ?? null,
      clientClaims ?? null,
    ]);
  const asked: fc.Arbitrary<Asked> = fc.record({
    resource: fc.constantFrom(
      "https://a.example",
      "https://a.example/.default",
      "https://a.example/false",
      "https://b.example",
    ),
    minStrength: fc.constantFrom(undefined, "software" as const),
    clientClaims: fc.constantFrom(undefined, "{}", "{ }", '{\n"a":1}', '{"a":"https://b.example"}'),
  });

  it("serves a token from memory to questions alike, and to no others", async () => {
    const seen = new Set<string>();
    await fc.assert(
      fc.asyncProperty(asked, async (one) => {
        const { fromCache } = await identity.getToken(one);
        assert.equal(fromCache, seen.has(meaning(one)), meaning(one));
        seen.add(meaning(one));
      }),
      { numRuns: 200 },
    );
    assert.ok(seen.size > 10, `only ${seen.size} different questions: the property says little`);
  });
});

describe("the names of an alias and of a key", () => {
  /** Halves of surrogate pairs, which their UTF-8 doesn't tell apart, included. */
  const text = fc.string({
    unit: fc.constantFrom("a", "A", "\ud800", "\ud801", "\ufffd", "#att=0", "é", "e\u0301"),
    minLength: 1,
    maxLength: 2,
  });
  const certificate = fc.constantFrom(Uint8Array.of(1), Uint8Array.of(2));

  it("of entries differ where the alias or the certificate does", () => {
    const entry = fc.record({ alias: text, certificate });
    const [first, second] = ["\ud800", "\ud801"].map((alias) => ({
      alias,
      certificate: Uint8Array.of(1),
    }));
    fc.assert(
      fc.property(pairs(entry), (two) => {
        const [a, b] = two;
        assertOneKey(
          two,
          ({ alias, certificate }) => entryName(alias, certificate),
          ({ alias, certificate }) => [alias, [...certificate]],
        );
        assert.equal(isEntryName(entryName(a.alias, a.certificate), b.alias), a.alias === b.alias);
        assertOneKey(two, ({ alias }) => entryLabel(alias)[1].join(), ({ alias }) => alias);
      }),
      { examples: [[[first!, second!]]] },
    );
  });

  it("of keys differ where the id or the strength does", () => {
    const strengths: KeyStrength[] = ["software", "hardware", "keyguard"];
    const key = fc.record({ id: text, strength: fc.constantFrom(...strengths) });
    fc.assert(fc.property(pairs(key), (two) => {
      assertOneKey(two, ({ id, strength }) => keyName(id, strength), ({ id, strength }) => [
        id,
        strength,
      ]);
    }));
  });

  it("of identities differ where the id or the attestation does", () => {
    const identity: fc.Arbitrary<Identity> = fc.oneof(
      fc.constant(resolveIdentity({})),
      fc.constantFrom("a", "b", "a#att=1", "#att=0").chain((id) =>
        fc.constantFrom(
          resolveIdentity({ clientId: id }),
          resolveIdentity({ resourceId: `/subscriptions/${id}` }),
        )
      ),
    );
    fc.assert(fc.property(pairs(fc.record({ identity, attested: fc.boolean() })), (two) => {
      assertOneKey(
        two,
        ({ identity, attested }) => certificateAlias(identity, attested),
        ({ identity: { name }, attested }) => [name, attested],
      );
    }));
  });
});
