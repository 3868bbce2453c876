/**
 * Every kept input, and some damage to each, on every runtime. A failure names its seed and the
 * input, which becomes a file of the corpus once the defect is mended.
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ENTRIES } from "./entries.ts";
import { corpusFolders, corpusOf } from "./support/corpus.ts";
import { freshSeed } from "./support/random.ts";
import { failureOf, runCampaign } from "./support/runner.ts";

/** Inputs for an entry of cost 1. */
const RUNS = 2000;

const seed = freshSeed();

describe("the corpus", () => {
  it("has a folder for each entry and no other", () => {
    assert.deepEqual(corpusFolders(), Object.keys(ENTRIES).sort());
  });
});

for (const [name, entry] of Object.entries(ENTRIES)) {
  describe(`the reader of ${name}`, () => {
    const kept = corpusOf(name);
    for (const { name: file, data } of kept) {
      it(`holds its own on ${file}`, async () => {
        const failure = await failureOf(entry, data);
        if (failure !== undefined) throw failure;
      });
    }

    const runs = Math.ceil(RUNS / (entry.cost ?? 1));
    it(`holds its own on ${runs} inputs made from these`, async () => {
      const seeds = kept.map(({ data }) => data);
      await runCampaign({ name, entry, seeds, seed }, (done) => done < runs);
    });
  });
}
