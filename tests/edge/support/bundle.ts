/**
 * A module and all it imports as one.
 *
 * @module
 */

import { execFile } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL("../../../", import.meta.url));

/**
 * The bundle of a module (its path from the root of the project), as for an edge runtime: a built-in
 * of Node is an error, unless it is among the `external` ones, which stay imports.
 */
export async function bundled(module: string, external: readonly string[] = []): Promise<string> {
  const { stdout } = await run(join(ROOT, "node_modules/esbuild/bin/esbuild"), [
    module,
    "--bundle",
    "--format=esm",
    "--platform=neutral",
    "--main-fields=module,main",
    "--conditions=workerd,worker,import",
    "--log-level=error",
    ...external.map((name) => `--external:${name}`),
  ], { cwd: ROOT, maxBuffer: 16_000_000 });
  return stdout;
}
