/**
 * The package's JavaScript: every entry a file in its place, what entries share in `chunks/`. A few
 * files load in a fraction of the time that one file a module takes.
 *
 * Nothing is minified, so that a stack trace can be read. Peers stay imports, and what is imported
 * when it is used stays that.
 *
 * @module
 */

import { readFileSync } from "node:fs";
import { join, posix, relative, resolve, sep } from "node:path";
import { inProject, readJson, ROOT } from "./project.mjs";

/** @typedef {import("esbuild").Metafile} Metafile */
/** @typedef {import("esbuild").Plugin} Plugin */
/** @typedef {readonly string[]} Modules paths from the project's root, with slashes */

/** The folder of what entries share. */
export const CHUNKS = "chunks";
/** The module behind the package's name. */
const CORE = "mod.ts";
/** What implements the core's ports, or stands beside it and needs little of it. */
const AROUND_THE_CORE = /^(backends\/\w+|plugins|resource|emulator)\//;

/**
 * Bundles.
 *
 * @param {Modules} programs what is imported or started from outside
 * @param {string} output absolute path of the folder to write to
 * @returns {Promise<string[]>} what is wrong with the result, a sentence each
 */
export async function bundle(programs, output) {
  const { inputs } = await run(programs, output, []);
  const graph = reachable(inputs);
  const entries = [...new Set([...programs, ...importedLate(inputs)])];
  const groups = groupsOf(entries, graph);
  const additions = new Map(entries.map((entry) => [entry, groupImports(groups, graph(entry))]));
  const withGroups = (/** @type {string} */ path, /** @type {string} */ text) =>
    text + (additions.get(path) ?? "");
  const draft = await run(entries, output, [groupPlugin(groups), textPlugin(withGroups)]);
  // Where modules end up has to be known before addresses relative to them can be written.
  const places = placesOf(draft.outputs, output);
  const addresses = textPlugin((path, text) => withGroups(path, ownAddress(path, text, places)));
  const { outputs } = await run(entries, output, [groupPlugin(groups), addresses], true);
  // Beside what it imports, an entry may bring parts of the core, and the core's own nothing else.
  const allowed = (/** @type {string} */ entry) => new Set([...graph(entry), ...graph(CORE)]);
  return entries.flatMap((entry) => foreignModules(entry, allowed(entry), outputs));
}

/**
 * @param {Modules} entries
 * @param {string} output
 * @param {Plugin[]} plugins
 * @param {boolean} [write]
 */
async function run(entries, output, plugins, write = false) {
  // Not at the top: whoever imports this module may be about to install packages.
  const { build } = await import("esbuild");
  const { metafile } = await build({
    absWorkingDir: ROOT,
    entryPoints: [...entries],
    outbase: ROOT,
    outdir: output,
    bundle: true,
    splitting: true,
    chunkNames: `${CHUNKS}/[hash]`,
    format: "esm",
    platform: "neutral",
    target: ["es2022", "node20"],
    // Node 20 has `\p{…}`, if not all of its newest names. Rewritten as calls, expressions of valibot
    // that nobody uses would stay, in the bundles of our users too.
    supported: { "regexp-unicode-property-escapes": true },
    // What is used of them, instead of the whole: that is half of the time that the core takes to load.
    external: externalPackages(),
    mainFields: ["module", "main"],
    logLevel: "silent",
    metafile: true,
    plugins,
    write,
  });
  return metafile;
}

/** All packages but the dependencies: a pattern for those of Node, the peers by their names. */
function externalPackages() {
  const { peerDependencies } = readJson(inProject("package.json"));
  return ["node:*", ...Object.keys(peerDependencies)];
}

/**
 * What a module or a file brings with it at once, itself included.
 *
 * @param {Record<string, { imports: { path: string, kind: string, external?: boolean }[] }>} inputs
 * @returns {(module: string) => ReadonlySet<string>}
 */
function reachable(inputs) {
  return (module) => {
    const found = new Set([module]);
    for (const path of found) {
      for (const { path: imported, kind, external } of inputs[path]?.imports ?? []) {
        if (kind === "import-statement" && !external) found.add(imported);
      }
    }
    return found;
  };
}

/**
 * Modules that are imported when they are used.
 *
 * @param {Metafile["inputs"]} inputs
 */
function importedLate(inputs) {
  return Object.values(inputs).flatMap(({ imports }) => imports)
    .filter(({ kind, external }) => kind === "dynamic-import" && !external)
    .map(({ path }) => path);
}

/**
 * The core's modules in two groups, each to be one file: what backends and plugins need of it, and
 * the rest, which gets tokens. By itself the bundler makes a file of each set of modules that the
 * same entries need, two dozen for the core alone.
 *
 * @param {Modules} entries
 * @param {ReturnType<typeof reachable>} graph
 * @returns {Modules[]}
 */
function groupsOf(entries, graph) {
  const around = new Set(
    entries.filter((entry) => AROUND_THE_CORE.test(entry)).flatMap((entry) => [...graph(entry)]),
  );
  const core = [...graph(CORE)].filter((path) => path !== CORE);
  return [core.filter((path) => around.has(path)), core.filter((path) => !around.has(path))];
}

/**
 * @param {Modules} group
 * @param {ReadonlySet<string>} reached
 */
function needs(group, reached) {
  return group.some((path) => reached.has(path));
}

/**
 * Lines that make an entry which needs one module of a group need them all: so these belong
 * together.
 *
 * @param {readonly Modules[]} groups
 * @param {ReadonlySet<string>} reached
 */
function groupImports(groups, reached) {
  return groups
    .map((group, index) => needs(group, reached) ? `\nimport "group:${index}";` : "")
    .join("");
}

/**
 * Knows what `group:<index>` is.
 *
 * @param {readonly Modules[]} groups
 * @returns {Plugin}
 */
function groupPlugin(groups) {
  const namespace = "group";
  const members = new Set(groups.flat());
  return {
    name: "groups",
    setup({ onLoad, onResolve }) {
      onResolve({ filter: /^group:/ }, ({ path }) => ({ path, namespace, sideEffects: true }));
      onLoad({ filter: /^group:/, namespace }, ({ path }) => {
        const group = groups[Number(path.slice("group:".length))] ?? [];
        return {
          contents: group.map((member) => `import "./${member}";\n`).join(""),
          resolveDir: ROOT,
        };
      });
      // The package says that its modules have no effects: an import for these would be left out.
      onResolve({ filter: /^\..*\.ts$/ }, ({ path, resolveDir }) => {
        const found = join(resolveDir, path);
        return members.has(from(ROOT, found)) ? { path: found, sideEffects: true } : undefined;
      });
    },
  };
}

/**
 * @param {(path: string, text: string) => string} change
 * @returns {Plugin}
 */
function textPlugin(change) {
  return {
    name: "text",
    setup({ onLoad }) {
      onLoad({ filter: /\.ts$/ }, ({ path }) => {
        return { contents: change(from(ROOT, path), readFileSync(path, "utf8")), loader: "ts" };
      });
    },
  };
}

/**
 * A module that looks for a file beside it finds it from where it is now.
 *
 * @param {string} path
 * @param {string} text
 * @param {ReadonlyMap<string, string>} places
 */
function ownAddress(path, text, places) {
  const place = places.get(path);
  if (place === undefined || !text.includes("import.meta")) return text;
  if (/import\.meta(?!\.url\b)/.test(text)) {
    throw new Error(`${path}: of import.meta only import.meta.url can be kept right.`);
  }
  const address = posix.relative(posix.dirname(place), path.replace(/\.ts$/, ".js"));
  return text.replaceAll(
    "import.meta.url",
    `new URL(${JSON.stringify(address)}, import.meta.url).href`,
  );
}

/**
 * The files that modules are in, from the output's folder.
 *
 * @param {Metafile["outputs"]} outputs
 * @param {string} output
 */
function placesOf(outputs, output) {
  return new Map(
    Object.entries(outputs).flatMap(([file, { inputs }]) =>
      Object.keys(inputs).map((input) => [input, from(output, resolve(ROOT, file))])
    ),
  );
}

/**
 * What an entry loads though nothing it imports needs that.
 *
 * @param {string} entry
 * @param {ReadonlySet<string>} allowed
 * @param {Metafile["outputs"]} outputs
 */
function foreignModules(entry, allowed, outputs) {
  const [file] = Object.entries(outputs).find(([, { entryPoint }]) => entryPoint === entry) ?? [];
  if (file === undefined) return [`${entry} was not built.`];
  return [...reachable(outputs)(file)]
    .flatMap((path) => Object.keys(outputs[path]?.inputs ?? {}))
    .filter((path) => !allowed.has(path) && !path.startsWith("group:"))
    .map((path) => `${entry} brings ${path} with it.`);
}

/**
 * @param {string} folder absolute
 * @param {string} path absolute
 * @returns {string} with slashes
 */
function from(folder, path) {
  return relative(folder, path).split(sep).join("/");
}
