/**
 * Environment variables as native libraries see them.
 *
 * @module
 */

import process from "node:process";

/**
 * Sets variables for this process and for the C libraries in it. Node and Deno tell C of what is
 * written to `process.env`; Bun keeps it to itself.
 */
export async function setEnvironment(variables: Readonly<Record<string, string>>): Promise<void> {
  Object.assign(process.env, variables);
  if (!("Bun" in globalThis)) return;
  const { default: koffi } = await import("koffi");
  const setenv = koffi.load(process.platform === "darwin" ? "libSystem.B.dylib" : "libc.so.6")
    .func("setenv", "int", ["str", "str", "int"]);
  for (const [name, value] of Object.entries(variables)) setenv(name, value, 1);
}
