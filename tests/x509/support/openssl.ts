/**
 * The `openssl` command as an independent judge, and certificates that it makes.
 *
 * @module
 */

import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Bytes } from "../../../src/encoding.ts";

/** Whether there is an `openssl` of version 3 to ask. */
export const hasOpenssl: boolean = (() => {
  try {
    return opensslText(["version"]).startsWith("OpenSSL 3");
  } catch {
    return false;
  }
})();

/** What `openssl` writes to its standard output; throws where it fails. */
export function openssl(args: readonly string[], input: Uint8Array | string = ""): Bytes {
  return Uint8Array.from(run(args, input).stdout);
}

/** What `openssl` says on both of its outputs; throws where it fails. */
export function opensslText(args: readonly string[], input: Uint8Array | string = ""): string {
  const { stdout, stderr } = run(args, input);
  return stdout.toString() + stderr.toString();
}

function run(args: readonly string[], input: Uint8Array | string) {
  const result = spawnSync("openssl", args, { input });
  if (result.error !== undefined) throw result.error;
  if (result.status !== 0) throw new Error(`openssl ${args[0]}: ${result.stderr}`);
  return result;
}

/** A directory for the duration of a suite; only its owner can look into it. */
export interface Scratch {
  /** The path of a file in it. */
  path(name: string): string;
  /** Writes a file and gives its path. */
  write(name: string, content: string | Uint8Array): string;
  /** Removes it and all that is in it. */
  remove(): void;
}

/** A new scratch directory. */
export function scratch(): Scratch {
  const directory = mkdtempSync(join(tmpdir(), "keybound-x509-"));
  const path = (name: string) => join(directory, name);
  return {
    path,
    write(name, content) {
      writeFileSync(path(name), content, { mode: 0o600 });
      return path(name);
    },
    remove: () => rmSync(directory, { recursive: true, force: true }),
  };
}
