/**
 * What a module depends on: its imports, the globals of a runtime that it names, and the state it
 * keeps.
 *
 * @module
 */

import { type Token, tokens } from "./tokens.ts";

/** What was found in a module. */
export interface ModuleFacts {
  /** Specifiers of all imports and re-exports: static, dynamic and of types. */
  readonly imports: readonly string[];
  /** Whether it imports something that only a run shows. */
  readonly computedImport: boolean;
  /** Globals that a web-standard host doesn't have. */
  readonly hostGlobals: readonly string[];
  /** What it keeps at its top level and can change, as written. */
  readonly mutableState: readonly string[];
}

const HOST_GLOBALS = new Set([
  "Buffer",
  "Bun",
  "Deno",
  "__dirname",
  "__filename",
  "process",
  "require",
]);
const COLLECTIONS = new Set(["Array", "Map", "Set", "WeakMap", "WeakSet"]);

/** Reads a module. */
export function moduleFacts(source: string): ModuleFacts {
  const all = tokens(source);
  const specifiers = all.map((_, index) => specifierAt(all, index)).filter((it) =>
    it !== undefined
  );
  return {
    imports: specifiers.filter((it) => it !== COMPUTED).map(({ text }) => text),
    computedImport: specifiers.includes(COMPUTED),
    hostGlobals: all.filter((_, index) => isHostGlobal(all, index)).map(({ text }) => text),
    mutableState: all.map((_, index) => stateAt(all, index)).filter((it) => it !== undefined),
  };
}

const COMPUTED: Token = { kind: "sign", text: "", depth: 0 };

/** The specifier of the import or re-export that begins here. */
function specifierAt(all: readonly Token[], index: number): Token | undefined {
  const [token, next] = [all[index]!, all[index + 1]];
  if (isSign(all[index - 1], ".")) return undefined;
  if (isWord(token, "import") && isSign(next, "(")) {
    const [specifier, end] = [all[index + 2], all[index + 3]];
    return specifier?.kind === "string" && isSign(end, ")", ",") ? specifier : COMPUTED;
  }
  if (token.depth > 0) return undefined;
  if (isWord(token, "import") && !isSign(next, ".")) {
    return next?.kind === "string" ? next : after(all, index, "from");
  }
  if (!isWord(token, "export")) return undefined;
  const list = isWord(next, "type") ? index + 2 : index + 1;
  if (isSign(all[list], "*")) return after(all, list, "from");
  if (!isSign(all[list], "{")) return undefined;
  const end = all.findIndex((it, at) => at > list && isSign(it, "}") && it.depth === 0);
  return isWord(all[end + 1], "from") ? all[end + 2] : undefined;
}

/** The string after the next such word that has one. */
function after(all: readonly Token[], index: number, word: string): Token | undefined {
  const at = all.findIndex((it, position) =>
    position > index && isWord(it, word) && all[position + 1]?.kind === "string"
  );
  return all[at + 1];
}

function isHostGlobal(all: readonly Token[], index: number): boolean {
  const token = all[index]!;
  if (!HOST_GLOBALS.has(token.text)) return false;
  if (token.kind === "string") return isWord(all[index + 1], "in") || isSign(all[index - 1], "[");
  const isMember = isSign(all[index - 1], ".") && !isWord(all[index - 2], "globalThis");
  return token.kind === "word" && !isMember;
}

/** The declaration of changeable state that begins here, at the top level. */
function stateAt(all: readonly Token[], index: number): string | undefined {
  const [token, next, third] = [all[index]!, all[index + 1], all[index + 2]];
  if (token.depth > 0 || next === undefined) return undefined;
  if (isWord(token, "let", "var")) return `${token.text} ${next.text}`;
  if (isWord(token, "new") && COLLECTIONS.has(next.text)) {
    const call = all.findIndex((it, at) => at > index && isSign(it, "("));
    return isSign(all[call + 1], ")") ? `new ${next.text}()` : undefined;
  }
  const isEmpty = (isSign(next, "[") && isSign(third, "]")) ||
    (isSign(next, "{") && isSign(third, "}"));
  return isSign(token, "=") && isEmpty ? `= ${next.text}${third!.text}` : undefined;
}

function isWord(token: Token | undefined, ...texts: readonly string[]): boolean {
  return token?.kind === "word" && texts.includes(token.text);
}

function isSign(token: Token | undefined, ...texts: readonly string[]): boolean {
  return token?.kind === "sign" && texts.includes(token.text);
}
