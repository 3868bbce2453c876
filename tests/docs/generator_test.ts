/**
 * What writes the reference and the diagrams.
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { apiPages } from "../../scripts/docs/api.ts";
import { arrows, withDiagrams } from "../../scripts/docs/diagrams.ts";
import type { Declaration, DocOutput, TypeNode } from "../../scripts/docs/doc_nodes.ts";
import { docText, firstSentence, type Links, slug } from "../../scripts/docs/doc_text.ts";
import { typeText } from "../../scripts/docs/type_text.ts";

const TEXT: TypeNode = { kind: "keyword", repr: "string", value: "string" };
const NAMES = ["One", "one"];
const links: Links = {
  exported: (name) => NAMES.includes(name) ? `#${slug(name)}` : undefined,
  code: (name) => name === "not_found" ? "errors.md#not_found" : undefined,
};

describe("a doc comment", () => {
  it("has links where names and codes are explained, but not in code", () => {
    const { text } = docText(
      { doc: "{@linkcode One} or `not_found`, `x`.\n```ts\n`One`\n```" },
      links,
    );
    assert.equal(
      text,
      "[`One`](#one) or [`not_found`](errors.md#not_found), `x`.\n```ts\n`One`\n```",
    );
  });

  it("has its default apart, on a line of its own or not", () => {
    const inline = docText({ doc: "Time. @default the\nruntime's" }, links);
    assert.deepEqual([inline.text, inline.standard], ["Time.", "the runtime's"]);
    const tag = { kind: "unsupported", value: "@default `{}`" };
    assert.equal(docText({ doc: "Time.", tags: [tag] }, links).standard, "`{}`");
  });

  it("loses no tag", () => {
    const tag = { kind: "unsupported", value: "@unheardOf x" };
    assert.throws(() => docText({ doc: "Time.", tags: [tag] }, links), /@unheardOf/);
  });

  it("begins with a sentence", () => {
    assert.equal(
      firstSentence("Keys of\nRFC 8705, e.g. RSA. More."),
      "Keys of RFC 8705, e.g. RSA.",
    );
    assert.equal(firstSentence("All of these:\n\n- a"), "All of these.");
  });
});

describe("a type", () => {
  it("has brackets where it needs them", () => {
    const union: TypeNode = { kind: "union", value: [TEXT, { ...TEXT, repr: "number" }] };
    assert.equal(typeText({ kind: "array", value: union }), "(string | number)[]");
    const call: TypeNode = { kind: "fnOrConstructor", value: { params: [], tsType: TEXT } };
    assert.equal(typeText({ kind: "union", value: [call, TEXT] }), "(() => string) | string");
  });

  it("of a kind that isn't known is an error", () => {
    assert.throws(() => typeText({ kind: "unheardOf", value: 1 }), /unheardOf/);
  });
});

describe("the reference", () => {
  const at = (line: number) => ({ filename: "file:///p/mod.ts", line, col: 0 });
  const declared = (
    kind: Declaration["kind"],
    line: number,
    def: Declaration["def"],
    internal = false,
  ): Declaration => ({
    kind,
    location: at(line),
    jsDoc: { doc: "Does it. Or `closed`.", tags: internal ? [{ kind: "internal" }] : [] },
    def,
  });
  const output: DocOutput = {
    version: 2,
    nodes: {
      "file:///p/mod.ts": {
        symbols: [
          {
            name: "Thing",
            declarations: [declared("interface", 3, {
              properties: [
                { name: "size", tsType: TEXT, jsDoc: { doc: "How big." }, optional: true },
                { name: "own", jsDoc: { tags: [{ kind: "internal" }] }, tsType: TEXT },
              ],
            })],
          },
          {
            name: "thing",
            declarations: [declared("function", 1, { params: [], returnType: TEXT })],
          },
          { name: "hidden", declarations: [declared("function", 2, { params: [] }, true)] },
        ],
      },
      "file:///p/a/mod.ts": {
        symbols: [{
          name: "Thing",
          declarations: [declared("reference", 9, { target: at(3) })],
        }],
      },
    },
  };
  const exports = { ".": "./mod.ts", "./a": "./a/mod.ts" };
  const pages = apiPages({ output, exports, codes: ["closed"] });
  const page = pages.get("docs/api/keybound.md")!;

  it("has a page for each entry point, and an index", () => {
    assert.deepEqual([...pages.keys()].sort(), [
      "docs/api/README.md",
      "docs/api/a.md",
      "docs/api/keybound.md",
    ]);
  });

  it("has signatures, members and error codes, and nothing internal", () => {
    assert.match(page, /```ts api\nfunction thing\(\): string;\n```/);
    assert.match(page, /- `size\?`: How big\./);
    assert.match(page, /\[`closed`\]\(\.\.\/troubleshooting\.md#closed\)/);
    assert.doesNotMatch(page, /hidden|own/);
  });

  it("tells names apart that differ by case", () => {
    assert.match(page, /\[`thing`\]\(#thing\)/);
    assert.match(page, /\[`Thing`\]\(#thing-1\)/);
  });

  it("sends who looks for it again to where it is explained", () => {
    assert.match(pages.get("docs/api/a.md")!, /See \[`Thing`\]\(keybound\.md#thing-1\)/);
  });
});

describe("the diagrams", () => {
  const modules = new Map([
    ["mod.ts", 'export * from "./src/a.ts";'],
    ["src/a.ts", 'import "./policy/b.ts"; import "valibot";'],
    ["src/policy/b.ts", ""],
    ["src/token/c.ts", 'import "../policy/b.ts";'],
    ["cli/main.ts", 'import "../src/a.ts"; import "node:fs";'],
  ]);
  const places = ["layers", "core", "backends"]
    .map((name) => `<!-- diagram: ${name} -->\n\n\`\`\`mermaid\nold\n\`\`\`\n`);

  it("have an arrow for what is imported", () => {
    assert.deepEqual(arrows(modules, (path) => /^(\w+)\//.exec(path)?.[1]), [
      { from: "cli", to: "src", modules: 1 },
    ]);
    const drawn = withDiagrams(places.join("\n"), modules);
    assert.match(drawn, /cli --> src/);
    assert.match(drawn, /token --> policy/);
    assert.doesNotMatch(drawn, /old/);
  });

  it("have their places in the document", () => {
    assert.throws(() => withDiagrams(places.slice(1).join("\n"), modules), /'layers'/);
    const stranger = places.join("\n").replace("core", "other");
    assert.throws(() => withDiagrams(stranger, modules), /'core'/);
  });
});
