/**
 * The links in README.md and docs/ lead to files and headings that are there, and the scripts that are
 * named are those of package.json.
 *
 * @module
 */

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { slug } from "../../scripts/docs/doc_text.ts";
import { filesBelow, read, readJson } from "../package/support/project.ts";

const ROOT = new URL("../../", import.meta.url);
const documents = [
  "README.md",
  "SECURITY.md",
  ...filesBelow("docs").filter((path) => path.endsWith(".md")),
];

/** Anchors as GitHub gives them: the second of two alike gets a number. */
function anchorsOf(text: string): Set<string> {
  const seen = new Map<string, number>();
  const prose = text.replaceAll(/^```[^]*?^```$/gm, "");
  return new Set([...prose.matchAll(/^#{1,6} (.*)$/gm)].map(([, heading]) => {
    const plain = heading!.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1");
    const anchor = slug(plain);
    const count = seen.get(anchor) ?? 0;
    seen.set(anchor, count + 1);
    return count === 0 ? anchor : `${anchor}-${count}`;
  }));
}

/** Links to files of the project, and what is wrong with them. */
function brokenLinks(path: string, text: string): string[] {
  const prose = text.replaceAll(/^```[^]*?^```$/gm, "").replaceAll(/`[^`\n]*`/g, "`x`");
  return [...prose.matchAll(/\]\(([^)\s]+)\)/g)].map(([, link]) => link!)
    .filter((link) => !/^[a-z]+:/.test(link))
    .filter((link) => {
      const { pathname, hash } = new URL(link, new URL(path, ROOT));
      const url = new URL(`file://${pathname}`);
      if (!existsSync(fileURLToPath(url))) return true;
      if (hash === "") return false;
      const target = decodeURIComponent(url.href.slice(ROOT.href.length));
      return !anchorsOf(read(target)).has(hash.slice(1));
    }).map((link) => `${path}: ${link}`);
}

describe("the links of the documentation", () => {
  it("lead to files and headings", () => {
    assert.deepEqual(documents.flatMap((path) => brokenLinks(path, read(path))), []);
  });

  it("that lead nowhere are found", () => {
    const text = "# One\n[a](#one) [b](#two) [c](nothing.md) [d](docs/cli.md#doctor)\n";
    assert.deepEqual(brokenLinks("x.md", "[b](docs/cli.md#nope)"), ["x.md: docs/cli.md#nope"]);
    assert.deepEqual(brokenLinks("README.md", text), [
      "README.md: #one",
      "README.md: #two",
      "README.md: nothing.md",
    ]);
    assert.deepEqual([...anchorsOf("# A b\n## `c`\n# A b\n")], ["a-b", "c", "a-b-1"]);
  });

  it("from the index lead to every guide", () => {
    const index = read("docs/README.md");
    const guides = filesBelow("docs").filter((path) => /^docs\/[\w-]+\.md$/.test(path));
    const missing = guides.map((path) => path.slice("docs/".length))
      .filter((name) => name !== "README.md" && !index.includes(`](${name})`));
    assert.deepEqual(missing, []);
  });
});

describe("the scripts that the documentation names", () => {
  it("are there", () => {
    const { scripts } = readJson<{ scripts: Record<string, string> }>("package.json");
    const named = documents.flatMap((path) =>
      [...read(path).matchAll(/\bnpm (?:run ([\w:]+)|test\b)/g)].map(([, name = "test"]) => name)
    );
    assert.ok(named.length > 5);
    assert.deepEqual(named.filter((name) => !Object.hasOwn(scripts, name)), []);
  });

  it("are given benchmarks that are there, and each is in the list of them", () => {
    const benchmarks = filesBelow("bench").flatMap((path) =>
      /^bench\/(\w+)\.ts$/.exec(path)?.[1] ?? []
    );
    const named = documents.flatMap((path) =>
      [...read(path).matchAll(/npm run (?:--silent )?bench -- ([\w ]+)/g)]
        .flatMap(([, names]) => names!.trim().split(/ +/))
    );
    assert.ok(named.length > 5);
    assert.deepEqual(named.filter((name) => !benchmarks.includes(name)), []);
    const listed = [...read("docs/benchmarks.md").matchAll(/^\| `(\w+)`/gm)].map(([, name]) =>
      name!
    );
    assert.deepEqual(listed.toSorted(), benchmarks.toSorted());
  });
});

describe("the table of parts in README.md", () => {
  it("has every entry point of the package", () => {
    const { exports } = readJson<{ exports: Record<string, unknown> }>("package.json");
    const entries = Object.keys(exports).filter((path) => path !== "./package.json")
      .map((path) => path.replace(/^\./, "keybound"));
    const rows = read("README.md").split("\n").filter((line) => line.startsWith("| `keybound"));
    assert.deepEqual(
      entries.filter((entry) => !rows.some((row) => row.split("|")[1]!.includes(`\`${entry}\``))),
      [],
    );
  });
});
