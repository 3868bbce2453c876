/**
 * What of a module an attacker could have an interest in: found in its code, not in what it says of
 * itself.
 *
 * @module
 */

import { moduleFacts } from "../../package/support/module_facts.ts";
import { type Token, tokens } from "../../package/support/tokens.ts";

/** What a module touches. */
export type Surface = "environment" | "file" | "JSON" | "native" | "program" | "secret" | "server";

/** What it touches where it imports this. */
const IMPORTS: readonly (readonly [Surface, RegExp])[] = [
  ["file", /^node:fs/],
  ["native", /^koffi$/],
  ["program", /^node:(?:child_process|cluster|vm|worker_threads)$/],
];

/** What it touches where it names this: a word, or a member of an object. */
const NAMES: readonly (readonly [Surface, RegExp])[] = [
  ["environment", /^(?:process|Deno)\.env$/],
  ["JSON", /^JSON\.parse$/],
  ["native", /^(?:addressOf|functionAt)$|^#?(?:ffi|memory)\.(?:open|read|readText|write)$/],
  ["secret", /^(?:exportPem|password|pin|pkcs8|privateKey|secret)$/],
  ["server", /^create\w*Server$/],
];

/** What this module touches, sorted. */
export function surfaceOf(source: string): readonly Surface[] {
  const all = tokens(source);
  const { imports } = moduleFacts(source);
  const names = new Set(all.flatMap((_, index) => namesAt(all, index)));
  const touches = ([, pattern]: readonly [Surface, RegExp], texts: Iterable<string>) =>
    [...texts].some((text) => pattern.test(text));
  const found = [
    ...IMPORTS.filter((rule) => touches(rule, imports)),
    ...NAMES.filter((rule) => touches(rule, names)),
  ];
  return [...new Set(found.map(([surface]) => surface))].sort();
}

/** The word here, alone and with what it is a member of. */
function namesAt(all: readonly Token[], index: number): string[] {
  const [object, dot, word] = [all[index - 2], all[index - 1], all[index]!];
  if (word.kind !== "word") return [];
  const isMember = dot?.kind === "sign" && /^\??\.$/.test(dot.text) && object?.kind === "word";
  return isMember ? [word.text, `${object.text}.${word.text}`] : [word.text];
}
