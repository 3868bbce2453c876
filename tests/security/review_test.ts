/**
 * Whether the security review (docs/decisions/security-review.md) speaks of every place that there
 * is to review, and of tests that are there.
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { filesBelow, read, readJson, sources } from "../package/support/project.ts";
import { moduleFacts } from "../package/support/module_facts.ts";
import { type Surface, surfaceOf } from "./support/surface.ts";

const REVIEW = "docs/decisions/security-review.md";
const FOLDERS = ["mod.ts", "src", "backends", "plugins", "resource", "cli", "emulator"];

const modules = sources(FOLDERS);
const places = new Map(
  [...modules].map(([path, source]) => [path, surfaceOf(source)] as const)
    .filter(([, surface]) => surface.length > 0),
);

const tests = new Set(filesBelow("tests"));

/** A row of the tables of places. */
interface Row {
  readonly files: readonly string[];
  readonly touches: readonly string[];
  readonly why: string;
}

const rows: readonly Row[] = read(REVIEW).split("\n")
  .map((line) => line.split("|").slice(1, -1).map((cell) => cell.trim()))
  .filter(([files, touches]) => /^`[\w/]+\.ts`/.test(files ?? "") && touches !== undefined)
  .map(([files = "", touches = "", , why = ""]) => ({
    files: [...files.matchAll(/`([^`]+)`/g)].map(([, path]) => path!),
    touches: touches.split(", "),
    why,
  }));

describe("the security review", () => {
  it("speaks of every place that touches something, once", () => {
    const reviewed = rows.flatMap(({ files }) => files);
    assert.deepEqual(reviewed.toSorted(), [...places.keys()].toSorted());
  });

  it("says what each of them touches", () => {
    for (const { files, touches } of rows) {
      const found = new Set(files.flatMap((path) => places.get(path) ?? []));
      assert.deepEqual(touches.toSorted(), [...found].toSorted(), files.join(", "));
    }
  });

  it("gives a reason or a test for each of them", () => {
    for (const { files, why } of rows) assert.ok(why.length > 10, files.join(", "));
  });

  it("names tests that are there", () => {
    const named = [...read(REVIEW).matchAll(/`(tests\/[^`]+)`/g)].map(([, path]) => path!);
    assert.ok(named.length > 50);
    assert.deepEqual(named.filter((path) => !tests.has(path)), []);
  });
});

describe("the threat model", () => {
  it("names tests that are there", () => {
    const named = [...read("SECURITY.md").matchAll(/`([\w/]+_test\.ts)`/g)]
      .map(([, path]) => `tests/${path}`);
    assert.ok(named.length > 20);
    assert.deepEqual(named.filter((path) => !tests.has(path)), []);
  });
});

describe("what a module touches", () => {
  const examples: readonly (readonly [string, readonly Surface[]])[] = [
    ['import { open } from "node:fs/promises";', ["file"]],
    ['const { spawn } = await import("node:child_process");', ["program"]],
    ["const home = process.env.HOME;", ["environment"]],
    ["const value = JSON.parse(text);", ["JSON"]],
    ["const at = this.#ffi.readText(address);", ["native"]],
    ["const at = library.addressOf(bytes);", ["native"]],
    ["function login({ pin }: Options) {}", ["secret"]],
    ['createServer((request) => {}).listen(0, "127.0.0.1");', ["server"]],
    ['// process.env\nconst text = "JSON.parse(pin)"; /pin/.test(text);', []],
    ["const parsed = parse(JSON.stringify(process.argv));", []],
  ];
  for (const [source, expected] of examples) {
    it(`is ${expected.join(", ") || "nothing"} in: ${source.split("\n").at(-1)}`, () => {
      assert.deepEqual(surfaceOf(source), expected);
    });
  }
});

describe("imports of packages", () => {
  it("are of those that package.json declares: nobody else can put one of that name there", () => {
    const { dependencies, peerDependencies } = readJson<{
      dependencies: Readonly<Record<string, string>>;
      peerDependencies: Readonly<Record<string, string>>;
    }>("package.json");
    const declared = new Set([...Object.keys(dependencies), ...Object.keys(peerDependencies)]);
    const undeclared = [...modules].flatMap(([path, source]) =>
      moduleFacts(source).imports
        .filter((name) => !/^(\.|node:)/.test(name) && !declared.has(name))
        .map((name) => `${path} imports ${name}.`)
    );
    assert.deepEqual(undeclared, []);
  });
});
