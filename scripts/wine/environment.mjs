/**
 * Where Windows programs run on this machine: Wine in a Debian 13 of its own, kept in the user's
 * cache (`$XDG_CACHE_HOME/keybound/wine`, about 3 GB; delete it whenever you like).
 *
 * Inside, `/host` (Windows: `Z:\host`) is the project with the node_modules of Windows over its own,
 * `/cache` is the cache, `/out` is for what programs write, `/prefix` is Wine's registry and disk.
 * One run at a time: Wine's server sees the folders of whoever started it.
 *
 * @module
 */

import { mkdirSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { run } from "../lib/process.mjs";
import { ROOT } from "../lib/project.mjs";

/** Absolute path of all that is kept. */
export const CACHE = join(
  process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache"),
  "keybound",
  "wine",
);

/** Root of the Debian that Wine runs in. */
export const CHROOT = join(CACHE, "trixie");

/** Where programs under Wine write, seen from here. */
export const OUT = join(CHROOT, "out");

/** The packages that the project has under Windows. */
export const MODULES = join(CACHE, "modules");

/**
 * A path of the cache as Windows sees it.
 *
 * @param {...string} parts
 */
export function windowsPath(...parts) {
  return ["Z:", "cache", ...parts.flatMap((part) => part.split("/"))].join("\\");
}

/** Why there can be no Wine on this machine, and what to do about it; `undefined` if there can. */
export function obstacle() {
  if (process.platform !== "linux" || process.arch !== "x64") {
    return "Wine tests run on Linux x64 only. On Windows, npm test runs on the real thing.";
  }
  if (process.getuid?.() !== 0) {
    return "Wine runs in a chroot here, which takes root: sudo npm run test:wine.";
  }
  return undefined;
}

const OVERRIDES = "mscoree,mshtml=";

/**
 * Environment variables with which a program gets the simulated KSP (`double.mjs`) for ncrypt.dll
 * instead of Wine's own.
 */
export const SIMULATED_KSP = { WINEDLLOVERRIDES: `${OVERRIDES};ncrypt=n,b` };

/**
 * What `env` of the chroot hands to Wine.
 *
 * Wine offers TLS 1.3 only where GnuTLS has a priority file, be it empty; it then offers every
 * version, whatever a program asks for.
 */
const ENVIRONMENT = {
  PATH: "/usr/bin:/bin:/usr/lib/wine",
  HOME: "/root",
  XDG_RUNTIME_DIR: "/tmp",
  WINEPREFIX: "/prefix",
  WINEDEBUG: "-all",
  WINEDLLOVERRIDES: `${OVERRIDES};ncrypt=b`,
  GNUTLS_SYSTEM_PRIORITY_FILE: "/gnutls-empty.cfg",
  NO_COLOR: "1",
};

/** Mounts what the chroot needs where nobody else sees it, and goes there. */
const ENTER = `
set -e
mount -t proc proc "$CHROOT/proc"
mount --bind /dev "$CHROOT/dev"
mount --bind "$PROJECT" "$CHROOT/host"
mount --bind "$CACHE" "$CHROOT/cache"
if [ -d "$CACHE/modules/node_modules" ] && [ -d "$CHROOT/host/node_modules" ]; then
  mount --bind "$CACHE/modules/node_modules" "$CHROOT/host/node_modules"
fi
exec chroot "$CHROOT" /usr/bin/env -i "$@"
`;

/**
 * The command; what it reads and writes are files, for Node can't write to a pipe that isn't
 * Windows'. What it writes is passed on at once, its complaints at the end.
 */
const REDIRECTED = `cd /host; files=$1; shift
cat > "$files.in"
: > "$files.out"
"$@" < "$files.in" > "$files.out" 2> "$files.err" &
tail --follow --lines=+1 --sleep-interval=0.1 --pid=$! "$files.out"
wait $!; code=$?
cat "$files.err" >&2; rm "$files".*
exit $code`;

/** What a command reads, and what it writes. */
const FILES = ["in", "out", "err"];

let runs = 0;

/**
 * What runs a command in the chroot, in the project's folder.
 *
 * @param {readonly string[]} command such as `["wine", "Z:\\cache\\...\\node.exe", "program.ts"]`
 * @param {Record<string, string>} [env] more environment variables
 * @returns {{ command: string, args: string[], env: NodeJS.ProcessEnv, files: string }} `files` is
 *   what the paths of its files in the chroot begin with
 */
export function chrootCommand(command, env = {}) {
  for (const name of ["cache", "host", "out", "prefix"]) {
    mkdirSync(join(CHROOT, name), { recursive: true });
  }
  const variables = Object.entries({ ...ENVIRONMENT, ...env }).map((entry) => entry.join("="));
  const files = `/out/${process.pid}-${runs++}`;
  const shell = [...variables, "bash", "-c", REDIRECTED, "bash", files, ...command];
  const own = ["--mount", "--propagation", "private", "bash", "-c", ENTER, "bash"];
  return {
    command: "unshare",
    args: [...own, ...shell],
    env: { ...process.env, CHROOT, CACHE, PROJECT: ROOT },
    files,
  };
}

/**
 * Runs a command in the chroot, in the project's folder.
 *
 * @param {readonly string[]} command as {@linkcode chrootCommand} takes it
 * @param {{ env?: Record<string, string>, timeout?: number }} [options] more environment variables;
 *   milliseconds after which it is killed
 */
export async function runInChroot(command, { env = {}, timeout } = {}) {
  const { command: program, args, env: own, files } = chrootCommand(command, env);
  const result = await run(program, args, {
    env: own,
    ...(timeout === undefined ? {} : { timeout }),
  });
  // They are still there where the command was killed.
  for (const kind of FILES) rmSync(join(CHROOT, `${files}.${kind}`), { force: true });
  return result;
}
