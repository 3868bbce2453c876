/**
 * `npm run sbom [-- <tarball>]`: what the package consists of and needs, as CycloneDX 1.6; with a
 * tarball written beside it (`<tarball>.cdx.json`), else to standard output. The same input gives the
 * same bytes: it holds no time, no random number and no host.
 *
 * `npm sbom` leaves out optional peers, and makes another document each time.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import process from "node:process";
import { inProject, isProgram, readJson } from "./lib/project.mjs";
import { say } from "./lib/terminal.mjs";

/**
 * @typedef {object} Component
 * @property {string} [bom-ref]
 * @property {"library"} type
 * @property {string} name
 * @property {string} version
 * @property {"required" | "optional"} [scope]
 * @property {string} purl
 * @property {{ alg: "SHA-512", content: string }[]} hashes
 * @property {{ license: { id: string } }[]} licenses
 */

/**
 * @typedef {object} Sbom
 * @property {"CycloneDX"} bomFormat
 * @property {"1.6"} specVersion
 * @property {1} version
 * @property {{ component: Component }} metadata
 * @property {Component[]} components
 * @property {{ ref: string, dependsOn: string[] }[]} dependencies
 * @property {{ aggregate: "complete" | "incomplete", dependencies: string[] }[]} compositions
 */

/**
 * @typedef {object} Locked
 * @property {string} version
 * @property {string} [integrity]
 * @property {string} [license]
 * @property {Record<string, string>} [dependencies]
 */

/**
 * The bill of materials. Dependencies are listed with theirs; optional peers by themselves, in the
 * version that they were tested with.
 *
 * @param {Uint8Array} [tarball] the package, whose hash goes into it
 * @returns {Sbom}
 */
export function sbom(tarball) {
  const manifest = readJson(inProject("package.json"));
  /** @type {{ packages: Record<string, Locked> }} */
  const { packages } = readJson(inProject("package-lock.json"));
  const required = closure(Object.keys(manifest.dependencies), packages);
  const optional = Object.keys(manifest.peerDependencies).filter((name) =>
    !required.includes(name)
  );
  const itself = {
    ...component(manifest.name, manifest, tarball === undefined ? [] : [sha512(tarball)]),
    scope: /** @type {const} */ ("required"),
  };
  /** @param {string} name */
  const ref = (name) => purl(name, locked(name, packages).version);
  const all = [
    ...required.map((name) => ({ name, scope: /** @type {const} */ ("required") })),
    ...optional.map((name) => ({ name, scope: /** @type {const} */ ("optional") })),
  ].sort((a, b) => a.name < b.name ? -1 : 1);
  return {
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    version: 1,
    metadata: { component: itself },
    components: all.map(({ name, scope }) => {
      const entry = locked(name, packages);
      return { ...component(name, entry, hashes(entry)), scope };
    }),
    dependencies: [
      { ref: itself.purl, dependsOn: all.map(({ name }) => ref(name)) },
      ...required.map((name) => ({
        ref: ref(name),
        dependsOn: Object.keys(locked(name, packages).dependencies ?? {}).map(ref),
      })),
    ],
    compositions: [
      { aggregate: "complete", dependencies: [itself.purl, ...required.map(ref)] },
      { aggregate: "incomplete", dependencies: optional.map(ref) },
    ],
  };
}

/**
 * What is wrong with it, a sentence each.
 *
 * @param {Sbom} document
 */
export function faultsOf({ metadata, components, dependencies, compositions }) {
  const all = [metadata.component, ...components];
  const refs = new Set(all.map((component) => component["bom-ref"]));
  const mentioned = [
    ...dependencies.flatMap(({ ref, dependsOn }) => [ref, ...dependsOn]),
    ...compositions.flatMap(({ dependencies }) => dependencies),
  ];
  return [
    ...(refs.size === all.length ? [] : ["A component is listed twice."]),
    ...mentioned.filter((ref) => !refs.has(ref)).map((ref) => `${ref} isn't listed.`),
    ...all.flatMap(({ name, version, purl: said, hashes, licenses }) => [
      ...(said === purl(name, version) && /^\d+\.\d+\.\d+/.test(version)
        ? []
        : [`${name} has no version.`]),
      ...(hashes.length === 1 && /^[0-9a-f]{128}$/.test(hashes[0]?.content ?? "")
        ? []
        : [`${name} has no hash.`]),
      ...(/^[\w.+-]+$/.test(licenses[0]?.license.id ?? "") ? [] : [`${name} has no licence.`]),
    ]),
  ];
}

/**
 * The bill of materials of a tarball, written beside it.
 *
 * @param {string} tarball path
 * @returns {{ path: string, faults: string[] }}
 */
export function writeSbom(tarball) {
  const document = sbom(readFileSync(tarball));
  const path = `${tarball}.cdx.json`;
  writeFileSync(path, text(document));
  return { path, faults: faultsOf(document) };
}

/** @param {Sbom} document */
function text(document) {
  return `${JSON.stringify(document, null, 2)}\n`;
}

/**
 * These packages and all that they need.
 *
 * @param {readonly string[]} names
 * @param {Record<string, Locked>} packages
 */
function closure(names, packages) {
  const found = new Set(names);
  for (const name of found) {
    Object.keys(locked(name, packages).dependencies ?? {}).forEach((other) => found.add(other));
  }
  return [...found];
}

/**
 * @param {string} name
 * @param {Record<string, Locked>} packages
 */
function locked(name, packages) {
  const entry = packages[`node_modules/${name}`];
  if (entry === undefined) throw new Error(`package-lock.json has no ${name}.`);
  return entry;
}

/**
 * @param {string} name
 * @param {{ version: string, license?: string }} entry
 * @param {Component["hashes"]} hashes
 * @returns {Component}
 */
function component(name, { version, license = "" }, hashes) {
  const ref = purl(name, version);
  return {
    "bom-ref": ref,
    type: "library",
    name,
    version,
    purl: ref,
    hashes,
    licenses: [{ license: { id: license } }],
  };
}

/**
 * @param {string} name
 * @param {string} version
 */
function purl(name, version) {
  return `pkg:npm/${name.replace("@", "%40")}@${version}`;
}

/**
 * The hash that the lock file has: SHA-512 in base64.
 *
 * @param {Locked} entry
 * @returns {Component["hashes"]}
 */
function hashes({ integrity = "" }) {
  const [, digest] = /^sha512-([A-Za-z0-9+/]+={0,2})$/.exec(integrity) ?? [];
  if (digest === undefined) return [];
  return [{ alg: "SHA-512", content: Buffer.from(digest, "base64").toString("hex") }];
}

/**
 * @param {Uint8Array} bytes
 * @returns {Component["hashes"][number]}
 */
function sha512(bytes) {
  return { alg: "SHA-512", content: createHash("sha512").update(bytes).digest("hex") };
}

if (isProgram(import.meta.url)) {
  const [tarball] = process.argv.slice(2);
  if (tarball === undefined) process.stdout.write(text(sbom()));
  else {
    const { path, faults } = writeSbom(tarball);
    say([path, ...faults].join("\n"));
    process.exitCode = faults.length === 0 ? 0 : 1;
  }
}
