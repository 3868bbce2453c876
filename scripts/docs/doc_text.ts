/**
 * Doc comments as Markdown.
 *
 * @module
 */

import type { JsDoc } from "./doc_nodes.ts";

/** Where names and error codes are explained. */
export interface Links {
  /** Address of an export's heading, from the page that is written; `undefined` for what isn't one. */
  exported(name: string): string | undefined;
  /** Address of an error code's heading. */
  code(name: string): string | undefined;
}

/** A doc comment, taken apart. */
export interface DocText {
  /** Markdown; empty where there is none. */
  readonly text: string;
  /** What holds where nothing is said. */
  readonly standard?: string;
  /** Examples, in Markdown. */
  readonly examples: readonly string[];
  /** Parameters by name. */
  readonly parameters: readonly (readonly [name: string, text: string])[];
  /** Whether it is for this project's own code. */
  readonly isInternal: boolean;
}

/** The parts of a doc comment. Throws for a tag that would be lost. */
export function docText(jsDoc: JsDoc | undefined, links: Links): DocText {
  const { doc = "", tags = [] } = jsDoc ?? {};
  const unknown = tags.filter(({ kind }) => kind === "unsupported").map(({ value = "" }) => value);
  const stray = unknown.find((line) => !line.startsWith("@default"));
  if (stray !== undefined) throw new Error(`There is no place for the tag '${stray}'.`);
  const [before = "", standard] = `${doc}\n${unknown.join("\n")}`.split("@default");
  return {
    text: linked(before.trim(), links),
    ...(standard === undefined ? {} : { standard: linked(oneLine(standard), links) }),
    examples: tags.filter(({ kind }) => kind === "example").map(({ doc = "" }) =>
      marked(doc.trim())
    ),
    parameters: tags.filter(({ kind }) => kind === "param")
      .map(({ name = "", doc = "" }) => [name, linked(doc.trim(), links)]),
    isInternal: tags.some(({ kind }) => kind === "internal"),
  };
}

/** The first sentence, on one line. */
export function firstSentence(text: string): string {
  const [paragraph = ""] = text.split(/\n\s*\n/);
  const line = oneLine(paragraph);
  return /^.*?(?<!\b[ei]\.[ge])[.:](?=\s+[A-Z]|$)/.exec(line)?.[0].replace(/:$/, ".") ?? line;
}

/** The anchor that GitHub gives a heading. */
export function slug(heading: string): string {
  return heading.toLowerCase().replace(/[^\p{L}\p{N}\s_-]/gu, "").trim().replace(/\s/g, "-");
}

function oneLine(text: string): string {
  return text.trim().replace(/\s*\n\s*/g, " ");
}

/** Outside of code fences, which stay as they are. */
function linked(text: string, links: Links): string {
  return text.split(/(^```[\s\S]*?^```)/m)
    .map((part, index) => index % 2 === 1 ? part : linkedProse(part, links)).join("");
}

function linkedProse(text: string, links: Links): string {
  return text
    .replaceAll(
      /\{@link(?:code)?\s+([^}|\s]+)(?:[|\s][^}]*)?\}/g,
      (_, name: string) => `\`${name}\``,
    )
    .replaceAll(/(?<!\[)`([A-Za-z_]\w*)`/g, (written, name: string) => {
      const target = links.code(name) ?? links.exported(name);
      return target === undefined ? written : `[${written}](${target})`;
    });
}

/** Fences of examples say that they are: the tests compile them. */
function marked(example: string): string {
  return example.replaceAll(/^```ts$/gm, "```ts example");
}
