/**
 * Which part of the project may import which: arrows go from backends and emulator to `src`, and
 * `src` stands on nothing but web standards and valibot.
 *
 * @module
 */

import { type ModuleFacts, moduleFacts } from "./module_facts.ts";

/** What the modules of a part may do. */
interface Layer {
  /** Paths from the root that they may import. */
  readonly modules: RegExp;
  /** Packages and built-ins that they may import. */
  readonly packages: RegExp;
  /** Whether they run anywhere, so that they may not name a runtime's globals. */
  readonly portable?: boolean;
}

const CORE: Layer = { modules: /^src\//, packages: /^valibot$/, portable: true };
const DETECT: Layer = { modules: /^(src|backends)\//, packages: /^node:/ };
const RESOURCE: Layer = {
  modules: /^(src|resource)\//,
  packages: /^(valibot|jose)$/,
  portable: true,
};
const RESOURCE_NODE: Layer = { modules: /^(src|resource)\//, packages: /^node:/ };
const CLI: Layer = { modules: /^(cli|src|backends|emulator)\//, packages: /^node:/ };
const EMULATOR: Layer = {
  modules: /^(emulator\/|src\/(encoding|errors|transports)\.ts$)/,
  packages: /^(node:.*|valibot|jose|@peculiar\/x509|reflect-metadata)$/,
};

/** What backends may import that others may not. */
const PACKAGES: Readonly<Record<string, RegExp>> = {
  ffi: /^(node:.*|koffi)$/,
  pkcs12: /^(node:.*|asn1js|pkijs)$/,
};

/** Their peers, and what of Node they may use. */
const PLUGIN_PACKAGES: Readonly<Record<string, RegExp>> = {
  agent: /^node:/,
  azure: /^node:(http|stream)$/,
  msal_node: /^@azure\/msal-node$/,
  opentelemetry: /^(@opentelemetry\/api)$/,
};

function layerOf(path: string): Layer | undefined {
  if (path === "mod.ts" || path.startsWith("src/")) return CORE;
  if (/^backends\/detect(\.ts$|\/)/.test(path)) return DETECT;
  if (path.startsWith("emulator/")) return EMULATOR;
  if (path.startsWith("cli/")) return CLI;
  if (path.startsWith("resource/node")) return RESOURCE_NODE;
  if (path.startsWith("resource/")) return RESOURCE;
  const [, plugin] = /^plugins\/(\w+)\//.exec(path) ?? [];
  if (plugin !== undefined) {
    return {
      modules: new RegExp(`^(src|backends|plugins/(${plugin}|mtls))/`),
      packages: PLUGIN_PACKAGES[plugin] ?? /^(valibot)$/,
    };
  }
  const [, backend] = /^backends\/(\w+)\//.exec(path) ?? [];
  if (backend === undefined) return undefined;
  return {
    modules: new RegExp(`^(src|backends/${backend}|backends/(ffi|http|tls_engine))/`),
    packages: PACKAGES[backend] ?? /^(node:.*|valibot)$/,
  };
}

/** What in these modules (sources by path from the root) breaks a rule, one sentence each. */
export function violations(modules: ReadonlyMap<string, string>): string[] {
  return [...modules].flatMap(([path, source]) => {
    const layer = layerOf(path);
    if (layer === undefined) return [`${path} belongs to no layer.`];
    const facts = moduleFacts(source);
    return [
      ...importFaults(path, facts.imports, layer, modules),
      ...(facts.computedImport ? [`${path} imports something computed.`] : []),
      ...(layer.portable ? portabilityFaults(path, facts) : []),
    ];
  });
}

/** Modules that these entries don't reach by imports. */
export function unreached(
  modules: ReadonlyMap<string, string>,
  entries: readonly string[],
): string[] {
  const reached = new Set<string>();
  const queue = [...entries];
  for (let path = queue.pop(); path !== undefined; path = queue.pop()) {
    const source = modules.get(path);
    if (source === undefined || reached.has(path)) continue;
    reached.add(path);
    const { imports } = moduleFacts(source);
    queue.push(...imports.filter(isRelative).map((specifier) => resolve(specifier, path!)));
  }
  return [...modules.keys()].filter((path) => !reached.has(path));
}

function importFaults(
  path: string,
  imports: readonly string[],
  layer: Layer,
  modules: ReadonlyMap<string, string>,
): string[] {
  return imports.flatMap((specifier) => {
    if (!isRelative(specifier)) {
      return layer.packages.test(specifier) ? [] : [`${path} imports ${specifier}.`];
    }
    const target = resolve(specifier, path);
    if (!layer.modules.test(target)) return [`${path} imports ${target}.`];
    return modules.has(target) ? [] : [`${path} imports ${target}, which isn't there.`];
  });
}

function portabilityFaults(path: string, { hostGlobals, mutableState }: ModuleFacts): string[] {
  return [
    ...hostGlobals.map((name) => `${path} uses ${name}.`),
    ...mutableState.map((declaration) => `${path} keeps state: ${declaration}.`),
  ];
}

function isRelative(specifier: string): boolean {
  return specifier.startsWith(".");
}

function resolve(specifier: string, from: string): string {
  return new URL(specifier, `file:///${from}`).pathname.slice(1);
}
