/**
 * `node scripts/wine/setup.mjs`: makes what the Wine tests need, where it isn't there yet: Wine 10
 * in a Debian 13, the simulated KSP, the packages of the project for Windows, and Node, Deno and Bun
 * for Windows.
 *
 * All of it is kept in the user's cache (`environment.mjs` says where); the project and its
 * package-lock.json aren't touched. It takes about a minute and 3 GB.
 *
 * @module
 */

import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { npm } from "../lib/npm.mjs";
import { run } from "../lib/process.mjs";
import { inProject, isProgram, readJson } from "../lib/project.mjs";
import { bunPackages, denoPackages, nodePackages } from "../lib/runtime_packages.mjs";
import { say, withHeartbeat } from "../lib/terminal.mjs";
import { makeSimulatedKsp } from "./double.mjs";
import { CACHE, CHROOT, MODULES, obstacle, runInChroot, windowsPath } from "./environment.mjs";

/**
 * @typedef {object} WindowsRuntime
 * @property {string} name `node22`, `node24`, `deno`, `bun`
 * @property {"node" | "deno" | "bun"} kind
 * @property {string} version
 * @property {string} program its executable as Windows sees it
 */

/** Wine has no AVX2 to offer for certain: Bun is its baseline build. */
const WINDOWS = { os: "win32", arch: "x64", musl: false, avx2: false };

/** The versions of Node that run there; the TypeScript of Node 20 would need one more loader. */
const NODES = [22, 24];

/** What tests import besides koffi; the versions are the project's. */
const PACKAGES = [
  "@peculiar/x509",
  "asn1js",
  "jose",
  "koffi",
  "pkijs",
  "reflect-metadata",
  "valibot",
];

/** Of the chroot, so that an older one is made anew. */
const EDITION = "2 Debian 13 with mingw-w64";

/** The runtimes, after everything was made. Throws, with what to do, where that isn't possible. */
export async function setUpWine() {
  const reason = obstacle();
  if (reason !== undefined) throw new Error(reason);
  mkdirSync(CACHE, { recursive: true });
  await makeChroot();
  await makeSimulatedKsp();
  await installModules();
  return await windowsRuntimes();
}

async function makeChroot() {
  const marker = join(CHROOT, "keybound-edition");
  if (existsSync(marker) && readFileSync(marker, "utf8") === EDITION) return;
  say(`Wine isn't set up yet. It goes to ${CACHE}, takes about a minute and 3 GB,`);
  say("and changes nothing else on this machine.");
  rmSync(CHROOT, { recursive: true, force: true });
  await step("Downloading Debian 13 with Wine", () =>
    run("mmdebstrap", [
      "--quiet",
      "--variant=apt",
      "--include=wine,wine64,libgnutls30t64,gcc-mingw-w64-x86-64-win32",
      '--aptopt=APT::Install-Recommends "false"',
      ...["doc", "man", "locale"].map((name) => `--dpkgopt=path-exclude=/usr/share/${name}/*`),
      "--dpkgopt=path-exclude=/usr/lib/x86_64-linux-gnu/wine/i386-windows/*",
      "trixie",
      CHROOT,
    ]), "Is mmdebstrap installed (apt-get install mmdebstrap)?");
  writeFileSync(join(CHROOT, "etc", "hosts"), "127.0.0.1 localhost\n");
  writeFileSync(join(CHROOT, "gnutls-empty.cfg"), "");
  await step(
    "Starting Wine for the first time",
    () => runInChroot(["bash", "-c", "wineboot -i; wineserver -w"]),
  );
  writeFileSync(marker, EDITION);
}

/** The packages of the project as Windows has them. */
async function installModules() {
  const { dependencies, devDependencies } = readJson(inProject("package.json"));
  const versions = { ...dependencies, ...devDependencies };
  const manifest = JSON.stringify({
    private: true,
    dependencies: Object.fromEntries(PACKAGES.map((name) => [name, versions[name]])),
  });
  if (installed(MODULES, manifest)) return;
  mkdirSync(MODULES, { recursive: true });
  await install(MODULES, manifest, "Installing the packages for Windows");
}

/** @returns {Promise<WindowsRuntime[]>} */
async function windowsRuntimes() {
  const { devDependencies } = readJson(inProject("package.json"));
  const wanted = [
    ...NODES.map((major) => ({
      name: `node${major}`,
      kind: /** @type {const} */ ("node"),
      of: nodePackages(major, WINDOWS),
    })),
    {
      name: "deno",
      kind: /** @type {const} */ ("deno"),
      of: denoPackages(devDependencies.deno, WINDOWS),
    },
    {
      name: "bun",
      kind: /** @type {const} */ ("bun"),
      of: bunPackages(devDependencies.bun, WINDOWS),
    },
  ];
  /** @type {WindowsRuntime[]} */
  const runtimes = [];
  for (const { name, kind, of: [found] } of wanted) {
    if (found === undefined) throw new Error(`There is no ${name} for Windows.`);
    const folder = `${found.name.replace("/", "+")}@${found.version}`;
    const prefix = join(CACHE, folder);
    const manifest = JSON.stringify({
      private: true,
      dependencies: { [found.name]: found.version },
    });
    if (!installed(prefix, manifest)) {
      mkdirSync(prefix, { recursive: true });
      await install(prefix, manifest, `Installing ${found.name} ${found.version}`);
    }
    const program = windowsPath(folder, "node_modules", found.name, found.program);
    runtimes.push({ name, kind, version: found.version, program });
  }
  return runtimes;
}

/**
 * Whether a folder was installed from this package.json.
 *
 * @param {string} folder
 * @param {string} manifest
 */
function installed(folder, manifest) {
  const marker = join(folder, "installed.json");
  return existsSync(marker) && readFileSync(marker, "utf8") === manifest;
}

/**
 * @param {string} folder
 * @param {string} manifest
 * @param {string} title
 */
async function install(folder, manifest, title) {
  writeFileSync(join(folder, "package.json"), manifest);
  // npm would refuse what isn't for this system.
  const options = ["--os=win32", "--cpu=x64", "--force", "--ignore-scripts", "--no-package-lock"];
  await step(title, () => npm(["install", ...options, "--no-audit", "--no-fund"], { cwd: folder }));
  writeFileSync(join(folder, "installed.json"), manifest);
}

/**
 * @param {string} title
 * @param {() => Promise<{ ok: boolean, output: string }>} work
 * @param {string} [hint]
 */
async function step(title, work, hint = "") {
  const { ok, output } = await withHeartbeat(title, work);
  if (!ok) throw new Error(`${title}: failed. ${hint}\n${output}`);
}

if (isProgram(import.meta.url)) {
  for (const { name, version, program } of await setUpWine()) {
    say(`${name.padEnd(8)}${version.padEnd(10)}${program}`);
  }
}
