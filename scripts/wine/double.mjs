/**
 * The test double of ncrypt.dll (`tests/wine/simulated_ksp`): compiled in the chroot, kept in the
 * cache, and put where Windows has its own. Wine loads it for programs that are started with the
 * environment `SIMULATED_KSP`, and its own for all others.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { inProject } from "../lib/project.mjs";
import { CACHE, CHROOT, runInChroot } from "./environment.mjs";

const SOURCES = "tests/wine/simulated_ksp";
const FOLDER = join(CACHE, "simulated_ksp");
const LIBRARY = join(FOLDER, "ncrypt.dll");
/** The hash of what it was made from. */
const MARKER = join(FOLDER, "made_from");
/** Node and Deno find no library on a path that Wine has in its system folder. */
const INSTALLED = join(CHROOT, "prefix", "drive_c", "windows", "system32", "ncrypt.dll");

const COMMAND = `cd /host/${SOURCES} && x86_64-w64-mingw32-gcc \
  -std=c11 -O2 -Wall -Wextra -Werror -shared -static-libgcc -s \
  -o /cache/simulated_ksp/ncrypt.dll *.c ncrypt.def -lbcrypt -ladvapi32`;

/** Makes the double where its sources have changed. Throws with what the compiler says. */
export async function makeSimulatedKsp() {
  const hash = sourceHash();
  if (!existsSync(MARKER) || readFileSync(MARKER, "utf8") !== hash) {
    mkdirSync(FOLDER, { recursive: true });
    const { ok, output } = await runInChroot(["bash", "-c", COMMAND]);
    if (!ok) throw new Error(`The simulated KSP doesn't compile.\n${output}`);
    writeFileSync(MARKER, hash);
  }
  const library = readFileSync(LIBRARY);
  // Wine puts its own back when it updates its folders.
  if (existsSync(INSTALLED) && library.equals(readFileSync(INSTALLED))) return;
  rmSync(INSTALLED, { force: true });
  writeFileSync(INSTALLED, library);
}

function sourceHash() {
  const hash = createHash("sha256").update(COMMAND);
  for (const name of readdirSync(inProject(SOURCES)).sort()) {
    hash.update(`\0${name}\0`).update(readFileSync(inProject(SOURCES, name)));
  }
  return hash.digest("hex");
}
