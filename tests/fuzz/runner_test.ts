/**
 * The fuzzer itself: what is planted is found, comes again with its seed, and is made small.
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { hex, utf8 } from "../../src/encoding.ts";
import type { FuzzEntry } from "./support/entry.ts";
import { MAX_INPUT, mutate } from "./support/mutator.ts";
import { randomOf } from "./support/random.ts";
import { FuzzFailure, runCampaign } from "./support/runner.ts";

const seeds = [utf8('{"number":12,"text":"abc"}'), utf8("[1,2,3]")];
const tokens = ["null", "]"].map(utf8);

/** A reader that can't bear one word. */
function entryThatBreaksOn(word: string): FuzzEntry {
  return {
    tokens: ["null"],
    fuzz(data) {
      const text = new TextDecoder().decode(data);
      if (text.includes(word)) throw new Error("broken");
    },
  };
}

async function failureOn(word: string, seed: number): Promise<FuzzFailure> {
  const campaign = { name: "planted", entry: entryThatBreaksOn(word), seeds, seed };
  try {
    await runCampaign(campaign, (runs) => runs < 20_000);
  } catch (error) {
    assert.ok(error instanceof FuzzFailure);
    return error;
  }
  assert.fail("the planted defect wasn't found");
}

describe("a campaign", () => {
  it("ends without failure where nothing is broken, after as many inputs as it may", async () => {
    const entry = { fuzz: () => {} };
    const campaign = { name: "sound", entry, seeds, seed: 1 };
    assert.equal(await runCampaign(campaign, (runs) => runs < 100), 100);
  });

  it("finds a token in a strange place, an edge of a number and a deep nesting", async () => {
    for (const word of ["anull", "4294967296", "nullnullnullnull"]) {
      assert.ok(new TextDecoder().decode((await failureOn(word, 1)).input).includes(word));
    }
  });

  it("makes what it found small, and says how to have it again", async () => {
    const failure = await failureOn("null,", 7);
    assert.equal(new TextDecoder().decode(failure.input), "null,");
    assert.match(failure.message, /^planted, seed 7: Error: broken\ninput in base64: bnVsbCw=$/);
    assert.equal((failure.cause as Error).message, "broken");
  });

  it("reports what is thrown by a promise as well", async () => {
    const entry: FuzzEntry = { fuzz: () => Promise.reject(new Error("late")) };
    const campaign = { name: "slow", entry, seeds, seed: 1 };
    await assert.rejects(runCampaign(campaign, () => true), /slow, seed 1: Error: late/);
  });
});

describe("damage", () => {
  const inputs = (seed: number, count: number) => {
    const random = randomOf(seed);
    return Array.from({ length: count }, () => mutate({ seeds, tokens }, random));
  };

  it("is the same for the same seed, and another for another", () => {
    const [a, b, c] = [inputs(1, 50), inputs(1, 50), inputs(2, 50)].map((list) => list.map(hex));
    assert.deepEqual(a, b);
    assert.notDeepEqual(a, c);
  });

  it("never makes inputs longer than is allowed, and leaves the seeds as they were", () => {
    const before = seeds.map(hex);
    for (const input of inputs(3, 3000)) assert.ok(input.length <= MAX_INPUT);
    assert.deepEqual(seeds.map(hex), before);
  });

  it("makes many different inputs, of no bytes too", () => {
    const made = new Set(inputs(4, 2000).map(hex));
    assert.ok(made.size > 1500, `${made.size} different inputs`);
    assert.ok(made.has(""));
    assert.doesNotThrow(() => mutate({ seeds: [new Uint8Array(0)], tokens: [] }, randomOf(5)));
  });
});
