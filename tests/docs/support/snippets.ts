/**
 * The code in README.md and docs/: which there is, and what is done with it.
 *
 * A fence of TypeScript is compiled and run; one that speaks of PKCS#11 where SoftHSM is installed, as
 * it is on the build server. Its info string says so where it isn't:
 * - ```` ```ts no-run: REASON ```` is compiled only;
 * - ```` ```ts api ```` is a signature or a doc comment's example, in the generated reference.
 *
 * After `<!-- example: NAME -->` it is what a test elsewhere runs: see `assertExample`.
 *
 * @module
 */

import { filesBelow, read } from "../../package/support/project.ts";

/** What is done with a snippet besides compiling it. */
export type Fate =
  | { readonly kind: "run" }
  | { readonly kind: "run-with-softhsm" }
  | { readonly kind: "no-run"; readonly reason: string }
  | { readonly kind: "elsewhere"; readonly example: string };

/** A piece of code in a document. */
export interface Snippet {
  readonly file: string;
  /** Of its first line, in the file; from 1. */
  readonly line: number;
  readonly code: string;
  readonly fate: Fate;
}

/** Documents that people write. */
export const DOCUMENTS: readonly string[] = [
  "README.md",
  ...filesBelow("docs").filter((path) => path.endsWith(".md") && !path.startsWith("docs/api/")),
];

/** Fences of a language, and what their info strings say besides. */
export function fencesOf(
  file: string,
  language: string,
  text: string = read(file),
): {
  readonly info: string;
  readonly line: number;
  readonly code: string;
  readonly before: string;
}[] {
  const pattern = new RegExp(`^\`\`\`${language}(?: ([^\\n]*))?\\n(.*?)^\`\`\`$`, "gms");
  return [...text.matchAll(pattern)].map(({ index, 1: info = "", 2: code = "" }) => ({
    info,
    line: lineOf(text, index) + 1,
    code,
    before: text.slice(0, index),
  }));
}

/** The snippets of TypeScript in a document: the fences, and the federations that stand in tables. */
export function snippetsOf(file: string, text: string = read(file)): Snippet[] {
  const fences = fencesOf(file, "ts", text).map(({ info, line, code, before }): Snippet => ({
    file,
    line,
    code,
    fate: fateOf(`${file}:${line}`, info, before, code),
  }));
  const calls = [...text.matchAll(/`(federate\(.*?\))`/g)].map(({ index, 1: code }): Snippet => ({
    file,
    line: lineOf(text, index),
    code: code!.includes(".getToken(")
      ? `const { accessToken } = await ${code!};\n`
      : `const client = ${code!};\n`,
    fate: { kind: "run" },
  }));
  return [...fences, ...calls];
}

/** Its place, for a test's name. */
export function placeOf({ file, line }: Snippet): string {
  return `${file}:${line}`;
}

function fateOf(place: string, info: string, before: string, code: string): Fate {
  const [, example] = /<!-- example: ([\w-]+) -->\n+$/.exec(before) ?? [];
  if (example !== undefined && info === "") return { kind: "elsewhere", example };
  if (info === "") return { kind: /\bpkcs11(?!2)/.test(code) ? "run-with-softhsm" : "run" };
  const [, reason] = /^no-run: (\S.{9,})$/.exec(info) ?? [];
  if (reason === undefined) throw new Error(`${place}: '${info}' says nothing that is known.`);
  return { kind: "no-run", reason };
}

function lineOf(text: string, index: number): number {
  return text.slice(0, index).split("\n").length;
}
