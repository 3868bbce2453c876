/**
 * The cache of bindings in any order of events: what is used, when it proves itself, when its
 * successor is made.
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import type { Binding } from "../../src/binding/binding.ts";
import { BindingCache } from "../../src/binding/cache.ts";
import { hasLifeLeft, RENEWAL_PAUSE } from "../../src/policy/renewal.ts";

const HOUR = 3_600_000;
const ALIASES = ["a", "b"];

/** What was kept last for an alias, and what is known of it. */
interface Kept {
  readonly binding: Binding;
  readonly random: number;
  provedAt: number;
  renewedAt: number | undefined;
}

interface Model {
  now: number;
  made: number;
  readonly kept: Map<string, Kept>;
}

type Command = fc.Command<Model, BindingCache>;

function command(name: string, run: (model: Model, cache: BindingCache) => void): Command {
  return { check: () => true, run, toString: () => name };
}

/** A binding whose certificate is this old and lives this long. */
function bindingOf(number: number, notBefore: number, notAfter: number): Binding {
  const credential = { thumbprint: `t${number}`, leaf: { notBefore, notAfter } };
  return {
    // Of a credential the cache looks at thumbprint and leaf.
    credential: credential as unknown as Binding["credential"],
    endpoint: "https://e.example/t",
    clientId: "c",
    attested: false,
  };
}

const alias = fc.constantFrom(...ALIASES);

const sets = fc.tuple(alias, fc.nat(48), fc.integer({ min: 1, max: 96 }), fc.nat(999)).map((
  [to, age, life, share],
) =>
  command(`set ${to}, ${age} h old, for ${life} h`, (model, cache) => {
    const { now, kept } = model;
    const notBefore = now - age * HOUR;
    const binding = bindingOf(++model.made, notBefore, notBefore + life * HOUR);
    const random = share / 1000;
    cache.set(to, binding, now, random);
    if (hasLifeLeft(binding.credential.leaf, now)) {
      kept.set(to, { binding, random, provedAt: now, renewedAt: undefined });
    } else kept.delete(to);
  })
);

const gets = alias.map((of) =>
  command(`get ${of}`, ({ now, kept }, cache) => {
    const known = kept.get(of)?.binding;
    const usable = known !== undefined && hasLifeLeft(known.credential.leaf, now);
    assert.equal(cache.get(of, now), usable ? known : undefined);
    if (!usable) kept.delete(of);
  })
);

const renews = alias.map((of) =>
  command(`renew ${of}`, ({ now, kept }, cache) => {
    const known = kept.get(of);
    const isTaken = cache.takeRenewal(of, now);
    if (!isTaken) return;
    assert.ok(known !== undefined, "a renewal of nothing");
    const { notBefore, notAfter } = known.binding.credential.leaf;
    assert.ok((now - notBefore) / (notAfter - notBefore) >= 0.4 - 1e-6, "renewed too early");
    const last = known.renewedAt;
    assert.ok(last === undefined || now - last >= RENEWAL_PAUSE, "renewed again too soon");
    known.renewedAt = now;
    assert.equal(cache.takeRenewal(of, now), false, "renewed twice at once");
  })
);

const overdue = alias.map((of) =>
  command(`${of} is overdue`, ({ now, kept }, cache) => {
    const known = kept.get(of);
    if (known === undefined) return;
    const { notBefore, notAfter } = known.binding.credential.leaf;
    const isLate = (now - notBefore) / (notAfter - notBefore) > 0.6 + 1e-6;
    const isPaused = known.renewedAt !== undefined && now - known.renewedAt < RENEWAL_PAUSE;
    if (!isLate || isPaused) return;
    assert.equal(cache.takeRenewal(of, now), true, "not renewed in time");
    known.renewedAt = now;
  })
);

const proves = fc.tuple(alias, fc.boolean()).map(([of, isOwn]) =>
  command(`${isOwn ? "its own" : "another"} key of ${of} signs`, (model, cache) => {
    const { now, kept } = model;
    const known = kept.get(of);
    const stranger = bindingOf(0, 0, 1);
    cache.proved(of, isOwn ? known?.binding ?? stranger : stranger, now);
    if (isOwn && known !== undefined) known.provedAt = now;
    if (known !== undefined) assert.equal(cache.provedAt(of, known.binding), known.provedAt);
    assert.equal(cache.provedAt(of, stranger), undefined);
  })
);

const drops = fc.tuple(alias, fc.boolean()).map(([of, isOwn]) =>
  command(`drop ${isOwn ? "" : "another than "}${of}`, ({ kept }, cache) => {
    const known = kept.get(of);
    cache.drop(of, isOwn && known !== undefined ? known.binding : bindingOf(0, 0, 1));
    if (isOwn) kept.delete(of);
  })
);

const passes = fc.oneof(fc.nat(10 * 60_000), fc.nat(24 * HOUR)).map((ms) =>
  command(`${ms} ms`, (model) => void (model.now += ms))
);

describe("the cache of bindings", () => {
  it("gives what was kept last while it has life left, and renews it in time and in moderation", () => {
    const commands = fc.commands([sets, gets, renews, overdue, proves, drops, passes, passes], {
      maxCommands: 80,
      size: "max",
    });
    fc.assert(
      fc.property(commands, (list) => {
        fc.modelRun(() => ({
          model: { now: 100 * HOUR, made: 0, kept: new Map() },
          real: new BindingCache(),
        }), list);
      }),
      { numRuns: 300 },
    );
  });
});
