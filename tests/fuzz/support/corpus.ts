/**
 * The inputs that are kept: `corpus/<entry>/<name>.txt` as it stands, `<name>.hex` as hex.
 *
 * @module
 */

import { readdirSync, readFileSync } from "node:fs";
import type { Bytes } from "../../../src/encoding.ts";

/** A kept input. */
export interface Kept {
  /** Name of its file. */
  readonly name: string;
  readonly data: Bytes;
}

const FOLDER = new URL("../corpus/", import.meta.url);

/** The inputs that are kept for an entry, by name. */
export function corpusOf(entry: string): Kept[] {
  const folder = new URL(`${entry}/`, FOLDER);
  return readdirSync(folder).sort().map((name) => {
    const content = readFileSync(new URL(name, folder));
    if (name.endsWith(".txt")) return { name, data: new Uint8Array(content) };
    if (!name.endsWith(".hex")) throw new Error(`${entry}/${name} is neither .txt nor .hex.`);
    return { name, data: fromHex(content.toString("latin1")) };
  });
}

/** The entries that inputs are kept for. */
export function corpusFolders(): string[] {
  return readdirSync(FOLDER).sort();
}

function fromHex(text: string): Bytes {
  const digits = text.replace(/\s+/g, "");
  if (!/^(?:[0-9a-f]{2})*$/.test(digits)) throw new Error("A corpus file isn't hex.");
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}
