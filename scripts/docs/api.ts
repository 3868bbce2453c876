/**
 * The reference in `docs/api/`: a page for each entry point of the package, and an index.
 *
 * @module
 */

import { apiPage, GENERATED, ordered } from "./api_page.ts";
import type { DocModule, DocOutput, Location } from "./doc_nodes.ts";
import { docText, firstSentence, type Links, slug } from "./doc_text.ts";

/** What the pages are made of. */
export interface ApiSources {
  /** What `deno doc --json` says of the entry points. */
  readonly output: DocOutput;
  /** Paths of the entry points by name (`.`, `./entra`), as `deno.json` has them. */
  readonly exports: Readonly<Record<string, string>>;
  /** All error codes. */
  readonly codes: readonly string[];
}

interface Page {
  /** What programs import. */
  readonly name: string;
  readonly file: string;
  readonly module: DocModule;
  /** Anchors by export. */
  readonly anchors: ReadonlyMap<string, string>;
}

/** Pages by path from the root, before they are formatted. */
export function apiPages({ output, exports, codes }: ApiSources): Map<string, string> {
  const pages = Object.entries(exports).map(([key, path]) => pageOf(key, path, output));
  const known = new Set(codes);
  const homes = homesOf(pages);
  const texts = pages.map((page): [string, string] => {
    const links: Links = {
      exported: (name) => addressOf(name, page, pages, homes),
      code: (name) => known.has(name) ? `../troubleshooting.md#${slug(name)}` : undefined,
    };
    return [`docs/api/${page.file}`, apiPage(page.name, page.module, links)];
  });
  return new Map([["docs/api/README.md", index(pages)], ...texts]);
}

function pageOf(key: string, path: string, { nodes }: DocOutput): Page {
  const name = key.replace(/^\./, "keybound");
  const suffix = path.replace(/^\.\//, "/");
  const [, module] = Object.entries(nodes).find(([url]) => url.endsWith(suffix)) ?? [];
  if (module === undefined) throw new Error(`deno doc says nothing of ${path}.`);
  const file = `${key === "." ? "keybound" : key.slice(2).replaceAll("/", "-")}.md`;
  return { name, file, module, anchors: anchorsOf(module) };
}

/** GitHub numbers headings that differ by case alone, as `managedIdentity`, `ManagedIdentity` do. */
function anchorsOf(module: DocModule): Map<string, string> {
  const seen = new Map<string, number>();
  return new Map(
    ordered(module).map(({ name }) => {
      const anchor = slug(name);
      const count = seen.get(anchor) ?? 0;
      seen.set(anchor, count + 1);
      return [name, count === 0 ? anchor : `${anchor}-${count}`];
    }),
  );
}

/** The pages that declarations are explained on, by where they are declared. */
function homesOf(pages: readonly Page[]): Map<string, { page: Page; name: string }> {
  const homes = new Map<string, { page: Page; name: string }>();
  for (const page of pages) {
    for (const { name, declarations } of ordered(page.module)) {
      for (const { kind, location } of declarations) {
        const place = placeOf(location);
        if (kind !== "reference" && !homes.has(place)) homes.set(place, { page, name });
      }
    }
  }
  return homes;
}

function addressOf(
  name: string,
  page: Page,
  pages: readonly Page[],
  homes: ReadonlyMap<string, { page: Page; name: string }>,
): string | undefined {
  const [plain = "", home] = name.split("@");
  const own = page.anchors.get(plain);
  if (home === undefined && own !== undefined) return `#${own}`;
  if (home === undefined) {
    const other = pages.find(({ anchors }) => anchors.has(plain));
    return other && `${other.file}#${other.anchors.get(plain)}`;
  }
  const symbol = page.module.symbols.find((symbol) => symbol.name === plain);
  const target = symbol?.declarations[0]?.def.target;
  const found = target && homes.get(placeOf(target));
  if (found === undefined) throw new Error(`${page.name} exports ${plain} from nowhere.`);
  return `${found.page.file}#${found.page.anchors.get(found.name)}`;
}

function placeOf({ filename, line, col }: Location): string {
  return `${filename}:${line}:${col}`;
}

function index(pages: readonly Page[]): string {
  const none: Links = { exported: () => undefined, code: () => undefined };
  const rows = pages.map(({ name, file, module }) => {
    const names = ordered(module)
      .filter(({ declarations: [first] }) =>
        ["class", "function", "variable"].includes(first!.kind)
      )
      .map(({ name }) => `\`${name}\``);
    const what = firstSentence(docText(module.module_doc, none).text);
    return `- [\`${name}\`](${file}): ${what}${names.length === 0 ? "" : ` ${names.join(", ")}.`}`;
  });
  return [
    GENERATED,
    "# Reference",
    "Every export of every entry point, from the doc comments of the sources. What to do with them " +
    "is in [the guides](../README.md); all error codes are in " +
    "[troubleshooting](../troubleshooting.md).",
    rows.join("\n"),
  ].join("\n\n") + "\n";
}
