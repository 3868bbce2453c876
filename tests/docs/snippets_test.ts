/**
 * The code in README.md, docs/ and doc comments: that it imports what there is, that its types are
 * right, and that each piece of it is run somewhere or says why not.
 *
 * @module
 */

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { describe, it } from "node:test";
import { filesBelow, read, readJson } from "../package/support/project.ts";
import { typeErrors } from "./support/compile.ts";
import { docExamples, READERS_OWN } from "./support/doc_examples.ts";
import { DOCUMENTS, snippetsOf } from "./support/snippets.ts";

const snippets = DOCUMENTS.flatMap((file) => snippetsOf(file));

function importsOf(code: string): string[] {
  return [...code.matchAll(/\bfrom "([^"]+)"|\bimport\("([^"]+)"\)/g)]
    .map(([, from, dynamic]) => (from ?? dynamic)!);
}

describe("the code in README.md and docs/", () => {
  it("imports only what the package exports, what its tests use, or what every runtime has", () => {
    const { exports, devDependencies } = readJson<Record<string, object>>("package.json");
    const isThere = (specifier: string) =>
      specifier.startsWith("node:") || Object.hasOwn(devDependencies!, specifier) ||
      Object.hasOwn(exports!, specifier.replace(/^keybound(?=\/|$)/, "."));
    assert.equal(isThere("keybound/nothing"), false);
    assert.equal(isThere("elsewhere"), false);
    const wrong = snippets.flatMap(({ file, line, code }) =>
      importsOf(code).filter((specifier) => !isThere(specifier))
        .map((specifier) => `${file}:${line}: ${specifier}`)
    );
    assert.deepEqual(wrong, []);
    const federations = snippets.filter(({ file, code }) =>
      file === "README.md" && code.includes("await federate(")
    );
    assert.equal(federations.length, 4, "each of the valid combinations");
    const documented = new Set(snippets.map(({ file }) => file));
    for (const guide of ["README.md", "docs/confidential-clients.md", "docs/rfc8705.md"]) {
      assert.ok(documented.has(guide), `${guide} has no code`);
    }
  });

  it("is run by the test that an example is marked for", () => {
    const texts = filesBelow("tests").filter((path) => path.endsWith(".ts"))
      .map((path) => read(path));
    const marked = snippets.filter(({ fate }) => fate.kind === "elsewhere");
    assert.ok(marked.length > 0);
    const lost = marked.filter(({ file, fate }) => {
      const name = fate.kind === "elsewhere" ? fate.example : "";
      const isAsserted = texts.some((text) =>
        text.includes("assertExample(") && text.includes(`"${file}"`) && text.includes(`"${name}"`)
      );
      return !isAsserted || !texts.some((text) => text.includes(`// Example ${name}\n`));
    });
    assert.deepEqual(lost, []);
  });

  it("has no fence whose info string isn't understood", () => {
    const wrong = ["ts no-run", "ts no-run: x", "ts later"];
    for (const info of wrong) {
      assert.throws(
        () => snippetsOf("x.md", `\`\`\`${info}\nf();\n\`\`\`\n`),
        /nothing that is known/,
      );
    }
  });

  // The compiler needs nothing of the runtime, so one is enough.
  if (process.versions["bun"] === undefined && !("Deno" in globalThis)) {
    it("is what the sources' types say", async (t) => {
      const directory = mkdtempSync(join(tmpdir(), "keybound-snippets-"));
      t.after(() => rmSync(directory, { recursive: true }));
      const wrong = { file: "wrong", line: 1, code: 'import { nothing } from "keybound/entra";\n' };
      const examples = docExamples();
      assert.ok(examples.length > 40, "The reference has the examples of the doc comments.");
      const found = await typeErrors(directory, [...snippets, ...examples, wrong], READERS_OWN);
      assert.deepEqual(found.filter((error) => !error.startsWith("wrong:")), []);
      assert.match(found.join("\n"), /^wrong:1: .*'nothing'/m);
    });
  }
});
