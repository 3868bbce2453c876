/**
 * Who imports whom.
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { unreached, violations } from "./support/layers.ts";
import { moduleFacts } from "./support/module_facts.ts";
import { readJson, sources } from "./support/project.ts";

interface DenoConfiguration {
  readonly exports: Readonly<Record<string, string>>;
  readonly publish: { readonly include: readonly string[] };
}

/** Programs that are started, not imported. */
const PROGRAMS = [
  "backends/openssl/handshake_worker.ts",
  "cli/main.ts",
  "emulator/main.ts",
];

describe("the import graph", () => {
  const { exports, publish } = readJson<DenoConfiguration>("deno.json");
  const published = sources(publish.include.filter((path) => !/\.(json|md)$|^LICENSE$/.test(path)));

  it("has the core and the backends in it", () => {
    assert.ok(published.has("mod.ts"));
    assert.ok(published.has("src/managed_identity.ts"));
    assert.ok(published.has("backends/detect.ts"));
    assert.ok(published.has("emulator/mod.ts"));
  });

  it("keeps to the layers", () => {
    assert.deepEqual(violations(published), []);
  });

  it("has no module that nothing leads to", () => {
    const entries = Object.values(exports).map((path) => path.replace("./", ""));
    assert.deepEqual(unreached(published, [...entries, ...PROGRAMS]), []);
  });
});

describe("the rules of the layers", () => {
  const broken: [string, Record<string, string>, string][] = [
    [
      "a built-in in the core",
      { "src/a.ts": 'import { readFile } from "node:fs";' },
      "src/a.ts imports node:fs.",
    ],
    [
      "a package in the core",
      { "src/a.ts": 'export * as jose from "jose";' },
      "src/a.ts imports jose.",
    ],
    [
      "a type of a package in the core",
      { "src/a.ts": 'let f = (x: import("jose").JWK) => {};' },
      "src/a.ts imports jose.",
    ],
    [
      "a backend in the core",
      { "src/a.ts": 'import "../backends/x/mod.ts";', "backends/x/mod.ts": "" },
      "src/a.ts imports backends/x/mod.ts.",
    ],
    [
      "a backend loaded late by the core",
      { "src/a.ts": 'f(() => import("../backends/x/mod.ts"));', "backends/x/mod.ts": "" },
      "src/a.ts imports backends/x/mod.ts.",
    ],
    [
      "a backend among the main exports",
      { "mod.ts": 'export { type X, y } from "./backends/x/mod.ts";', "backends/x/mod.ts": "" },
      "mod.ts imports backends/x/mod.ts.",
    ],
    [
      "a backend in another",
      { "backends/x/mod.ts": 'export type { Y } from "../y/mod.ts";', "backends/y/mod.ts": "" },
      "backends/x/mod.ts imports backends/y/mod.ts.",
    ],
    [
      "a backend in the emulator",
      { "emulator/a.ts": 'import { x } from "../backends/x/mod.ts";', "backends/x/mod.ts": "" },
      "emulator/a.ts imports backends/x/mod.ts.",
    ],
    [
      "the core in the emulator",
      { "emulator/a.ts": 'import { x } from "../src/keys.ts";', "src/keys.ts": "" },
      "emulator/a.ts imports src/keys.ts.",
    ],
    [
      "an import of what isn't there",
      { "src/a.ts": 'import { b } from "./b.ts";' },
      "src/a.ts imports src/b.ts, which isn't there.",
    ],
    [
      "an import that a run decides",
      { "src/a.ts": "await import(`./${name}.ts`);" },
      "src/a.ts imports something computed.",
    ],
    [
      "a global of Node in the core",
      { "src/a.ts": "const x = flag ? process : undefined;" },
      "src/a.ts uses process.",
    ],
    [
      "a global in a template of the core",
      { "src/a.ts": "const x = `a ${Buffer.from(`b`)} c`;" },
      "src/a.ts uses Buffer.",
    ],
    [
      "a look for a runtime in the core",
      { "src/a.ts": 'const x = "Deno" in globalThis;' },
      "src/a.ts uses Deno.",
    ],
    [
      "a runtime behind globalThis in the core",
      { "src/a.ts": "const x = globalThis.Bun;" },
      "src/a.ts uses Bun.",
    ],
    [
      "a variable of a module in the core",
      { "src/a.ts": "export let count = 0;" },
      "src/a.ts keeps state: let count.",
    ],
    [
      "a cache of a module in the core",
      { "src/a.ts": "const cache = new Map<string, Promise<void>>();" },
      "src/a.ts keeps state: new Map().",
    ],
    [
      "a list of a module in the core",
      { "src/a.ts": "const waiting: string[] = [];" },
      "src/a.ts keeps state: = [].",
    ],
    ["a folder without rules", { "plugins/a.ts": "" }, "plugins/a.ts belongs to no layer."],
  ];
  for (const [name, modules, expected] of broken) {
    it(`refuse ${name}`, () => {
      assert.ok(violations(new Map(Object.entries(modules))).includes(expected));
    });
  }

  it("take what keeps to them", () => {
    const modules = {
      "mod.ts": 'export * from "./src/a.ts";',
      "src/a.ts": 'import * as v from "valibot"; import { b } from "./x/b.ts";\n' +
        "const NAMES = new Set(['a']); export function f() { let n = 0; const m = new Map(); }",
      "src/x/b.ts": 'import type { A } from "../a.ts"; const url = import.meta.url;',
      "backends/ffi/a.ts": 'import koffi from "koffi";',
      "backends/x/a.ts": 'import process from "node:process"; import "../ffi/a.ts"; ' +
        'import "../../src/a.ts"; import "./b.ts";',
      "backends/x/b.ts": "let process = 1;",
      "backends/detect.ts": 'import { x } from "./x/a.ts";',
      "emulator/a.ts": 'import { e } from "../src/errors.ts"; await import("jose");',
      "src/errors.ts": "",
    };
    assert.deepEqual(violations(new Map(Object.entries(modules))), []);
  });

  it("know a module that nothing leads to", () => {
    const modules = new Map([["a.ts", 'import "./b.ts";'], ["b.ts", ""], ["c.ts", ""]]);
    assert.deepEqual(unreached(modules, ["a.ts"]), ["c.ts"]);
  });
});

describe("the facts about a module", () => {
  it("leave out what only looks like code", () => {
    const source = [
      '/** import "node:fs"; */ // import "node:net"; process',
      'const a = \'import "x"; process\'; const b = "it\'s process";',
      "const c = /[\"'`]process/.test(a) / 2 / process_;",
      "const d = `import 'y'; process ${a ? `Deno ${b}` : '}'} Bun`;",
      "const e = options.process?.Buffer; const f = { import: 1 }.import;",
      "export const from = 'z'; export { a, b };",
    ].join("\n");
    assert.deepEqual(moduleFacts(source), {
      imports: [],
      computedImport: false,
      hostGlobals: [],
      mutableState: [],
    });
  });

  it("have every form of import", () => {
    const source = [
      'import "a"; import b from "b"; import * as c from \'c\'; import { from } from "d";',
      'import type { E } from "e"; import { type F } from "f"; import g, { h } from "g";',
      'export * from "h"; export * as i from "i"; export { j } from "j";',
      'export type { K } from "k"; export type * from "l"; type M = typeof import("m");',
      'import json from "n" with { type: "json" }; await import("o", { with: {} });',
    ].join("\n");
    assert.equal(moduleFacts(source).imports.join(""), "abcdefghijklmno");
  });

  it("don't come from a source that can't be read", () => {
    assert.throws(() => moduleFacts("const a = `never ends"), SyntaxError);
    assert.throws(() => moduleFacts("f(() => {"), SyntaxError);
  });
});
