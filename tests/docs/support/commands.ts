/**
 * The command lines of `keybound` in the documentation's shell snippets.
 *
 * @module
 */

import { DOCUMENTS, fencesOf } from "./snippets.ts";

/** A command line of the program. */
export interface CommandLine {
  readonly file: string;
  /** Of the snippet's first line. */
  readonly line: number;
  /** What follows `keybound`. */
  readonly args: readonly string[];
}

/** How the program is called where it isn't installed, and where it is. */
const CALLS: readonly (readonly string[])[] = [
  ["keybound"],
  ["npx", "keybound"],
  ["bunx", "keybound"],
  ["deno", "run", "-A", "npm:keybound"],
];

/** Every command line of the program, in the documents' order. */
export function commandLines(): CommandLine[] {
  return DOCUMENTS.flatMap((file) =>
    fencesOf(file, "sh").flatMap(({ line, code }) =>
      commandsIn(code).map((args) => ({ file, line, args }))
    )
  );
}

/** The arguments of each call of the program in a shell snippet. */
export function commandsIn(code: string): string[][] {
  const lines = code.replaceAll(/\\\n\s*/g, "").split("\n");
  return lines.flatMap((line) => {
    const words = wordsOf(line);
    const start = words.findIndex((word) => !/^\w+=/.test(word));
    const call = CALLS.find((call) => call.every((word, index) => words[start + index] === word));
    return call === undefined ? [] : [words.slice(start + call.length)];
  });
}

/** The words of a line up to its first comment, pipe, redirection or `&`. */
function wordsOf(line: string): string[] {
  const words: string[] = [];
  for (const [, single, double, plain = ""] of line.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)) {
    if (single === undefined && double === undefined && /^(?:#|\||>|&|2>)/.test(plain)) break;
    words.push(single ?? double ?? plain);
  }
  return words;
}
