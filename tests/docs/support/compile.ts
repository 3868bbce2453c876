/**
 * Snippets and TypeScript's compiler.
 *
 * @module
 */

import { execFile } from "node:child_process";
import { symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { read, readJson } from "../../package/support/project.ts";
import { ELSEWHERE } from "./names.ts";
import type { Snippet } from "./snippets.ts";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const NAMES = "tests/docs/support/names.ts";

/** A piece of code and where it stands. */
export type Code = Pick<Snippet, "file" | "line" | "code">;

/** Declarations of the names that snippets have. */
function preamble(): string {
  const [, body = ""] = /^export interface Names \{\n(.*?)^\}$/ms.exec(read(NAMES)) ?? [];
  const names = [...body.matchAll(/^ {2}readonly (\w+):/gm)].map(([, name]) => name!);
  if (names.length === 0) throw new Error(`${NAMES} has no names.`);
  const path = JSON.stringify(join(ROOT, NAMES));
  const lines = names.map((name) => `declare const ${name}: import(${path}).Names["${name}"];`);
  return `${lines.join("\n")}\n${ELSEWHERE}`;
}

/**
 * Errors as `file:line: message`, lines counted in the document. Writes into `directory`; `more` are
 * declarations besides those of `Names`.
 */
export async function typeErrors(
  directory: string,
  all: readonly Code[],
  more: string = "",
): Promise<string[]> {
  const { exports } = readJson<{ exports: Record<string, string> }>("deno.json");
  const paths = Object.entries(exports).map(([name, path]) => [
    name.replace(/^\./, "keybound"),
    [join(ROOT, path)],
  ]);
  const files = all.map(({ code }, index) => {
    const name = `snippet_${index}.ts`;
    writeFileSync(join(directory, name), `${code}export {};\n`);
    return name;
  });
  symlinkSync(join(ROOT, "node_modules"), join(directory, "node_modules"), "junction");
  writeFileSync(join(directory, "package.json"), '{ "type": "module" }');
  writeFileSync(join(directory, "preamble.d.ts"), `${preamble()}${more}`);
  writeFileSync(
    join(directory, "tsconfig.json"),
    JSON.stringify({
      extends: join(ROOT, "tsconfig.json"),
      compilerOptions: {
        paths: Object.fromEntries(paths),
        typeRoots: [join(ROOT, "node_modules/@types")],
        // Snippets are short: they leave types away and export nothing.
        noImplicitAny: false,
        isolatedDeclarations: false,
        declaration: false,
        rewriteRelativeImportExtensions: false,
      },
      include: [],
      files: ["preamble.d.ts", ...files],
    }),
  );
  const compiler = join(ROOT, "node_modules/typescript/bin/tsc");
  const output = await new Promise<string>((resolve) => {
    const arguments_ = [compiler, "-p", directory, "--pretty", "false"];
    execFile(process.execPath, arguments_, { cwd: directory }, (_error, stdout) => resolve(stdout));
  });
  return [...output.matchAll(/^(?:.*\/)?(snippet_|preamble)(\d*)\.\w+.*?\((\d+),\d+\): (.*)$/gm)]
    .map(([, kind, index, line, message]) => {
      if (kind === "preamble") return `preamble:${line}: ${message}`;
      const { file, line: first } = all[Number(index)]!;
      return `${file}:${first + Number(line) - 1}: ${message}`;
    });
}
