/**
 * Examples of the documentation that are the code of a test.
 *
 * @module
 */

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

const ROOT = new URL("../../../", import.meta.url);

/**
 * Fails unless the example in `document` after `<!-- example: NAME -->` is, its imports apart, what
 * stands in the test between `// Example NAME` and `// End of example`.
 */
export async function assertExample(test: string, document: string, name: string): Promise<void> {
  const source = await readFile(fileURLToPath(test), "utf8");
  const [, region = ""] =
    new RegExp(`^ *// Example ${name}\n(.*?)^ *// End of example$`, "ms").exec(source) ?? [];
  const text = await readFile(fileURLToPath(new URL(document, ROOT)), "utf8");
  const [, example = ""] =
    new RegExp(`<!-- example: ${name} -->\n+\`\`\`ts\n(.*?)^\`\`\`$`, "ms").exec(text) ?? [];
  const body = example.replaceAll(/^import [^;]*;\n/gm, "").trim();
  assert.notEqual(body, "", `${document} has no example '${name}'`);
  assert.equal(body, dedented(region).trim());
}

function dedented(text: string): string {
  const lines = text.split("\n");
  const widths = lines.filter((line) => line.trim() !== "").map((line) => line.search(/\S/));
  const width = Math.min(...widths);
  return lines.map((line) => line.slice(width)).join("\n");
}
