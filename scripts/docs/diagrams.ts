/**
 * The diagrams of `docs/architecture.md`, drawn from the imports of the sources.
 *
 * @module
 */

import { moduleFacts } from "../../tests/package/support/module_facts.ts";

/** An import of one part by another, and how many modules of it do so. */
export interface Arrow {
  readonly from: string;
  readonly to: string;
  readonly modules: number;
}

/** A diagram. */
interface Diagram {
  readonly name: string;
  /** The part that a module belongs to; `undefined` where it isn't in the diagram. */
  readonly partOf: (path: string) => string | undefined;
  /** Direction, as Mermaid has it. */
  readonly direction: "LR" | "TB";
}

const DIAGRAMS: readonly Diagram[] = [
  { name: "layers", direction: "TB", partOf: (path) => path === "mod.ts" ? "src" : top(path) },
  {
    name: "core",
    direction: "TB",
    partOf: (path) => {
      if (!path.startsWith("src/")) return undefined;
      return /^src\/([a-z0-9]+)\//.exec(path)?.[1] ?? ROOTS[path] ?? undefined;
    },
  },
  {
    name: "backends",
    direction: "LR",
    partOf: (path) =>
      /^backends\/detect[./]/.test(path) ? "detect" : /^backends\/(\w+)\//.exec(path)?.[1],
  },
];

/** Modules of the core that are what a program calls; what they share isn't drawn. */
const ROOTS: Readonly<Record<string, string>> = {
  "src/managed_identity.ts": "managed_identity",
};

function top(path: string): string | undefined {
  return /^(\w+)\//.exec(path)?.[1];
}

/** Who imports whom among the parts, sorted. `modules` has sources by path from the root. */
export function arrows(
  modules: ReadonlyMap<string, string>,
  partOf: (path: string) => string | undefined,
): Arrow[] {
  const importers = new Map<string, Set<string>>();
  for (const [path, source] of modules) {
    const from = partOf(path);
    if (from === undefined) continue;
    for (const specifier of moduleFacts(source).imports) {
      if (!specifier.startsWith(".")) continue;
      const target = new URL(specifier, `file:///${path}`).pathname.slice(1);
      const to = partOf(target);
      if (to === undefined || to === from) continue;
      const key = `${from} ${to}`;
      importers.set(key, (importers.get(key) ?? new Set()).add(path));
    }
  }
  return [...importers].map(([key, paths]) => {
    const [from = "", to = ""] = key.split(" ");
    return { from, to, modules: paths.size };
  }).sort((a, b) => `${a.from} ${a.to}` < `${b.from} ${b.to}` ? -1 : 1);
}

/** The document with its diagrams drawn anew. Throws where one has no place or no name. */
export function withDiagrams(document: string, modules: ReadonlyMap<string, string>): string {
  const wanted = [...document.matchAll(/<!-- diagram: (\w+) -->/g)].map(([, name]) => name!);
  for (const { name } of DIAGRAMS) {
    if (!wanted.includes(name)) throw new Error(`The document has no place for '${name}'.`);
  }
  return document.replaceAll(
    /(<!-- diagram: (\w+) -->)\n+```mermaid\n[\s\S]*?^```$/gm,
    (_, mark: string, name: string) => {
      const diagram = DIAGRAMS.find((each) => each.name === name);
      if (diagram === undefined) throw new Error(`There is no diagram '${name}'.`);
      return `${mark}\n\n\`\`\`mermaid\n${mermaid(diagram, modules)}\n\`\`\``;
    },
  );
}

function mermaid(
  { direction, partOf }: Diagram,
  modules: ReadonlyMap<string, string>,
): string {
  const found = arrows(modules, partOf);
  const drawn = new Set(found.flatMap(({ from, to }) => [from, to]));
  const parts = new Set([...modules.keys()].map(partOf).filter((part) => part !== undefined));
  const alone = [...parts].filter((part) => !drawn.has(part)).sort();
  return [
    `flowchart ${direction}`,
    ...found.map(({ from, to }) => `  ${from} --> ${to}`),
    ...alone.map((part) => `  ${part}`),
  ].join("\n");
}
