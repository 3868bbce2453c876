/**
 * The cache of tokens and the pauses between requests, in any order of events.
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { throttledUntil } from "../../src/policy/retry.ts";
import { REFRESH_PAUSE } from "../../src/policy/token_life.ts";
import { type CacheableToken, TokenCache } from "../../src/token/cache.ts";
import { Throttle } from "../../src/token/throttle.ts";

const KEYS = ["a", "b", "c", "d", "e"];
const SECOND = 1000;
const MINUTE = 60_000;

/** A token that says which one it is. */
interface Token extends CacheableToken {
  readonly asked: number;
}

/** A token that was put into the cache, whether or not it is still there. */
interface Kept {
  readonly asked: number;
  readonly receivedOn: number;
  readonly staleAt: number;
  readonly thumbprint: string;
}

/** What is in the cache, which has room for all keys. */
interface Model {
  now: number;
  readonly kept: Map<string, Kept>;
  /** When a refresh was last called due, by key. */
  readonly due: Map<string, number>;
}

type Command = fc.AsyncCommand<Model, TokenCache<Token>>;

function command(
  name: string,
  run: (model: Model, cache: TokenCache<Token>) => void | Promise<void>,
): Command {
  return {
    check: () => true,
    run: async (model, cache) => await run(model, cache),
    toString: () => name,
  };
}

const key = fc.constantFrom(...KEYS);
const thumbprint = fc.constantFrom("first", "second");

/** Looks for a token. What is found is the last one kept, is alive, and isn't due all the time. */
const gets = key.map((wanted) =>
  command(`get ${wanted}`, async (model, cache) => {
    const { now, kept, due } = model;
    const hit = cache.get(wanted, now);
    const known = kept.get(wanted);
    if (known === undefined || now >= known.staleAt) {
      assert.equal(hit, undefined, "a token without life");
      kept.delete(wanted);
      due.delete(wanted);
      return;
    }
    assert.ok(hit !== undefined, "the token is lost");
    const token = await hit.promise;
    assert.equal(token.asked, known.asked, "another token than was kept last");
    assert.equal(token.fromCache, true);
    assert.equal(token.binding?.credential.thumbprint, known.thumbprint);
    if (hit.refreshDue) {
      const last = due.get(wanted);
      assert.ok(last === undefined || now - last >= REFRESH_PAUSE, "due again too soon");
      due.set(wanted, now);
    }
  })
);

/** Keeps a token; a server may advise to refresh it at once. */
const minutes = fc.oneof(fc.constant(0), fc.nat(90));
const sets = fc.tuple(key, thumbprint, fc.nat(90), minutes).map((
  [wanted, bound, life, refresh],
) =>
  command(`set ${wanted}, bound to the ${bound}, for ${life} minutes`, (model, cache) => {
    const asked = cache.ask();
    const { now, kept } = model;
    const staleAt = now + life * MINUTE;
    const token = { asked, fromCache: false, binding: { credential: { thumbprint: bound } } };
    cache.set(wanted, token, asked, {
      receivedOn: now,
      staleAt,
      refreshAt: now + refresh * MINUTE,
    });
    kept.set(wanted, { asked, receivedOn: now, staleAt, thumbprint: bound });
  })
);

/** An answer to a question asked before the token that is there: it is dropped. */
const belated = key.map((wanted) =>
  command(`a belated ${wanted}`, (model, cache) => {
    const { now, kept } = model;
    const known = kept.get(wanted);
    if (known === undefined) return;
    const times = { receivedOn: now, staleAt: now + MINUTE, refreshAt: now };
    cache.set(wanted, { asked: -1, fromCache: false }, known.asked - 1, times);
  })
);

const evicts = thumbprint.map((bound) =>
  command(`evict the ${bound}`, (model, cache) => {
    const { kept, due, now } = model;
    const theirs = [...kept].filter(([, { thumbprint }]) => thumbprint === bound);
    assert.equal(cache.evict(bound), theirs.length);
    for (const [each] of theirs) {
      assert.equal(cache.get(each, now), undefined, "a token of an evicted certificate");
      kept.delete(each);
      due.delete(each);
    }
  })
);

const expedites = thumbprint.map((bound) =>
  command(`expedite the ${bound}`, (_model, cache) => cache.expedite(bound))
);

const passes = fc.oneof(fc.nat(90), fc.nat(30 * 60)).map((seconds) =>
  command(`${seconds} s`, (model) => void (model.now += seconds * SECOND))
);

describe("the cache of tokens", () => {
  it("gives out the last token kept, alive, and calls for one refresh a minute", async () => {
    const commands = fc.commands([gets, gets, sets, belated, evicts, expedites, passes], {
      maxCommands: 60,
      size: "max",
    });
    await fc.assert(
      fc.asyncProperty(commands, async (list) => {
        await fc.asyncModelRun(() => ({
          model: { now: 0, kept: new Map(), due: new Map() },
          real: new TokenCache<Token>(KEYS.length),
        }), list);
      }),
      { numRuns: 300 },
    );
  });

  it("never holds more than it may, and throws away what wasn't used before what was", () => {
    const capacity = fc.integer({ min: 1, max: 20 });
    fc.assert(fc.property(capacity, fc.array(fc.nat(19)), fc.nat(30), (size, uses, more) => {
      const cache = new TokenCache<Token>(size);
      const add = (each: string) => {
        const asked = cache.ask();
        const times = { receivedOn: 0, staleAt: 1, refreshAt: 1 };
        cache.set(each, { asked, fromCache: false }, asked, times);
      };
      for (let i = 0; i < size; i++) add(`old ${i}`);
      const used = new Set(uses.map((i) => `old ${i % size}`));
      for (const each of used) assert.notEqual(cache.get(each, 0), undefined);
      const added = Math.min(more, size - used.size);
      for (let i = 0; i < added; i++) add(`new ${i}`);
      for (const each of used) assert.notEqual(cache.get(each, 0), undefined, each);
      const names = Array.from({ length: 30 }, (_, i) => [`old ${i}`, `new ${i}`]).flat();
      assert.equal(names.filter((each) => cache.get(each, 0) !== undefined).length, size);
    }));
  });
});

describe("requests that a server wants held back", () => {
  it("are, as long as it said and no longer, each question by itself", () => {
    const answer = fc.record({
      status: fc.constantFrom(200, 400, 429, 500, 503),
      retryAfter: fc.constantFrom(undefined, 0, 1, SECOND, MINUTE),
    });
    // Often to the millisecond.
    const step = fc.tuple(key, answer, fc.constantFrom(0, 1, SECOND - 1, SECOND, MINUTE));
    fc.assert(fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const throttle = new Throttle();
      const held = new Map<string, { until: number; error: Error }>();
      let now = 0;
      for (const [question, seen, wait] of steps) {
        const error = new Error(question);
        throttle.note(question, seen, now, error);
        const until = throttledUntil(seen.status, seen.retryAfter, now);
        if (until !== undefined) held.set(question, { until, error });
        now += wait;
        for (const each of KEYS) {
          const pause = held.get(each);
          const isHeld = pause !== undefined && now < pause.until;
          if (isHeld) {
            assert.throws(() => throttle.check(each, now), (thrown) => thrown === pause.error);
          } else throttle.check(each, now);
        }
      }
    }));
  });
});
