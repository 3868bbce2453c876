/**
 * The code in README.md and docs/ runs, against an emulator.
 *
 * @module
 */

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { softHsm } from "../support/softhsm.ts";
import { runSnippet, type Stage } from "./support/run_snippet.ts";
import { DOCUMENTS, placeOf, snippetsOf } from "./support/snippets.ts";
import { type OpenStage, openStage } from "./support/stage.ts";

const snippets = DOCUMENTS.flatMap((file) => snippetsOf(file));
const softhsm = await softHsm();
const running = snippets.filter(({ fate }) =>
  fate.kind === "run" || (fate.kind === "run-with-softhsm" && softhsm !== undefined)
);
const count = (kind: string) => snippets.filter(({ fate }) => fate.kind === kind).length;

describe("the code in README.md and docs/", () => {
  let stage: OpenStage;
  before(async () => {
    stage = await openStage(softhsm);
  });
  after(async () => {
    await stage.close();
    await softhsm?.destroy();
  });

  for (const snippet of running) {
    it(`runs: ${placeOf(snippet)}`, async () => {
      await stage.reset();
      const made = await runSnippet(stage, snippet);
      try {
        await stage.guarded.settled();
        await assertUsable(made);
      } finally {
        await closeAll(made);
      }
    });
  }

  it(
    `is run: ${running.length} snippets here, ${count("elsewhere")} by other tests, ` +
      `${count("no-run")} not at all`,
    () => {
      assert.ok(running.length > 3 * count("no-run"), "Most of the code runs.");
    },
  );
});

describe("what runs a snippet", () => {
  it("gives it its names and imports, and takes what it made", async (t) => {
    const directory = mkdtempSync(join(tmpdir(), "keybound-snippet-"));
    t.after(() => rmSync(directory, { recursive: true }));
    const bare: Stage = {
      directory,
      names: { one: 1 },
      load: (specifier) => Promise.resolve({ default: specifier, three: 3 }),
      here: (code) => code,
    };
    const run = (line: number, code: string) =>
      runSnippet(bare, { file: "x.md", line, code, fate: { kind: "run" } });
    const imports = 'import x, { three, type Four } from "x";\nimport type { Y } from "y";\n';
    const code =
      `${imports}import * as all from "z";\nconst { two, d: four } = { two: 2, d: 4 };\n` +
      "let sum: number = one + two + three + four;\nconst names = [x, all.default];\n";
    const made = await run(1, code);
    assert.deepEqual(made, { two: 2, four: 4, sum: 10, names: ["x", "z"] });
    await assert.rejects(run(2, 'await Promise.reject(new Error("no"));\n'), /no/);
    await assert.rejects(run(3, "unheardOf();\n"), /unheardOf/);
  });
});

/** What a snippet made is what its reader would want to have. */
async function assertUsable(made: Record<string, unknown>): Promise<void> {
  for (const [name, value] of Object.entries(made)) {
    if (value instanceof Response) {
      assert.ok(value.ok, `${name} has status ${value.status}: ${await value.text()}`);
    }
    if (name === "accessToken") assert.match(String(value), /^[\w-]+\.[\w-]+\.[\w-]+$/);
  }
}

/** Ends what a snippet left open, the last one first. */
async function closeAll(made: Record<string, unknown>): Promise<void> {
  for (const value of Object.values(made).reverse()) {
    const { close, destroy } = (value ?? {}) as Record<string, unknown>;
    if (value instanceof Response) await value.body?.cancel().catch(() => {});
    else if (typeof close === "function") await close.call(value);
    else if (typeof destroy === "function") destroy.call(value);
  }
}
