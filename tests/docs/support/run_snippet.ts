/**
 * Runs a snippet as it stands in a document.
 *
 * @module
 */

import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Snippet } from "./snippets.ts";

/** What snippets are run with. */
export interface Stage {
  /** An absolute path, for files of code. */
  readonly directory: string;
  /** Names that are there. */
  readonly names: Readonly<Record<string, unknown>>;
  /** The module of this specifier, or what stands in for it. */
  load(specifier: string): Promise<Record<string, unknown>>;
  /** The code with what is this host's in place of what is the reader's. */
  here(code: string): string;
}

type Made = Record<string, unknown>;
type Program = (
  names: Readonly<Record<string, unknown>>,
  load: Stage["load"],
) => Promise<Made>;

const IMPORT = /^import (type )?([^;]*?) from "([^"]+)";$/gm;

/** Runs it; gives what it made at its top level, by name. */
export async function runSnippet(stage: Stage, snippet: Snippet): Promise<Made> {
  const code = moduleOf(stage.here(snippet.code), Object.keys(stage.names));
  const name = `${snippet.file.replaceAll(/\W/g, "_")}_${snippet.line}.mts`;
  const path = join(stage.directory, name);
  await writeFile(path, code);
  const program = await import(pathToFileURL(path).href) as { default: Program };
  return await program.default(stage.names, stage.load);
}

/** A module whose default export is the snippet: names and imports come in by parameter. */
export function moduleOf(code: string, names: readonly string[]): string {
  const body = code.replaceAll(IMPORT, importText).replaceAll(/^export /gm, "");
  const made = [...new Set(madeBy(code))];
  return `export default async function run(names: any, load: any): Promise<any> {
const { ${names.join(", ")} } = names;
{
${body}
return { ${made.join(", ")} };
}
}
`;
}

function importText(_: string, isType: string | undefined, what: string, from: string): string {
  if (isType !== undefined) return "";
  const loaded = `await load(${JSON.stringify(from)})`;
  const [, star] = /^\* as (\w+)$/.exec(what) ?? [];
  if (star !== undefined) return `const ${star} = ${loaded};`;
  const [, alone = "", list = ""] = /^(\w*),? ?(?:\{([^}]*)\})?$/s.exec(what) ?? [];
  const named = list.split(",").map((part) => part.trim())
    .filter((part) => part !== "" && !part.startsWith("type "))
    .map((part) => part.replace(" as ", ": "));
  const all = alone === "" ? named : [`default: ${alone}`, ...named];
  return all.length === 0 ? "" : `const { ${all.join(", ")} } = ${loaded};`;
}

/** Names declared at the top level. */
function madeBy(body: string): string[] {
  const declared = body.matchAll(/^(?:const|let) (?:(\w+)|\{ ?([^}]*?) ?\}) ?[:=]/gms);
  return [...declared].flatMap(([, single, several = ""]) =>
    single === undefined
      ? several.split(",").map((part) => part.split(":").at(-1)!.trim()).filter((part) =>
        part !== ""
      )
      : [single]
  );
}
