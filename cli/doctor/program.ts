/**
 * Whether the runtime, its permissions and the environment are in order.
 *
 * @module
 */

import process from "node:process";
import type { Environment } from "../command.ts";
import { HOST_VARIABLES, OWN_VARIABLES, RUNTIME_VARIABLES } from "../variables.ts";
import { type Finding, finding } from "./finding.ts";

/** Names and lowest versions, major and minor. Before 1.4, Bun has no TLS of `node:https` to build on. */
const RUNTIMES = [["bun", "Bun", 1, 4], ["deno", "Deno", 2, 0], ["node", "Node", 20, 0]] as const;

/** The runtime. */
export function runtimeFinding(
  versions: Readonly<Record<string, string | undefined>>,
  platform: string,
): Finding {
  for (const [key, name, lowestMajor, lowestMinor] of RUNTIMES) {
    const version = versions[key];
    if (version === undefined) continue;
    const detail = `${name} ${version} on ${platform}`;
    const [major = 0, minor = 0] = version.split(".").map((part) => parseInt(part, 10));
    if (major > lowestMajor || (major === lowestMajor && minor >= lowestMinor)) {
      return finding("runtime", "ok", detail);
    }
    const lowest = lowestMinor === 0 ? lowestMajor : `${lowestMajor}.${lowestMinor}`;
    return finding("runtime", "failure", detail, `Use ${name} ${lowest} or later.`);
  }
  return finding("runtime", "warning", "a runtime that isn't known", "Use Node, Deno or Bun.");
}

/** A permission's name and what is missed without it. */
const PERMISSIONS: readonly (readonly [name: string, what: string])[] = [
  ["net", "the metadata service, the token endpoint and resources"],
  ["env", "the variables that name sources and tokens: they count as unset"],
  ["read", "a directory of keys and certificates, Azure Arc"],
  ["write", "a directory of keys and certificates"],
  ["sys", "the user's id and the system's CAs: '--allow-sys=uid,ca'"],
  ["ffi", "PKCS#11 tokens"],
];

/** Whether the permission of this name is granted for everything; Deno's. */
export type IsGranted = (name: string) => boolean;

/** What a program may do, where the runtime asks for permissions. */
export function permissionsFinding(isGranted: IsGranted | undefined): Finding {
  if (isGranted === undefined) return finding("permissions", "ok", "the runtime asks for none");
  const missing = PERMISSIONS.filter(([name]) => !isGranted(name));
  if (missing.length === 0) return finding("permissions", "ok", "all that can be of use");
  const list = missing.map(([name, what]) => `${name} (${what})`).join("; ");
  return missing.some(([name]) => name === "net")
    ? finding("permissions", "warning", `not for everything: ${list}`, "Allow: --allow-net=HOSTS.")
    : finding("permissions", "info", `not for everything: ${list}`);
}

interface DenoPermissions {
  querySync(descriptor: { readonly name: string }): { readonly state: string };
}

/** How this runtime is asked; `undefined` where it has no permissions. */
export function ownPermissions(): IsGranted | undefined {
  const { Deno } = globalThis as { Deno?: { permissions?: DenoPermissions } };
  const permissions = Deno?.permissions;
  return permissions && ((name) => permissions.querySync({ name }).state === "granted");
}

/** The runtime and its permissions, this process's. */
export function programFindings(): Finding[] {
  return [
    runtimeFinding(process.versions, `${process.platform} ${process.arch}`),
    permissionsFinding(ownPermissions()),
  ];
}

/** The environment variables that are set: their names, and whether they are well-formed. */
export function environmentFindings(environment: Environment): Finding[] {
  const findings = [...HOST_VARIABLES, ...OWN_VARIABLES].flatMap(({ name, fault }) => {
    const value = environment[name] ?? "";
    // Windows sets these two for everybody.
    if (value === "" || name.startsWith("Program")) return [];
    const wrong = fault(value);
    return wrong === undefined
      ? [finding("environment", "ok", `${name} is set and well-formed`)]
      : [finding("environment", "failure", `${name} ${wrong}`, "Correct or unset it.")];
  });
  const ofRuntime = RUNTIME_VARIABLES.flatMap(({ name, matters, detail, advice }) => {
    const value = environment[name] ?? "";
    if (value === "" || !matters(value)) return [];
    const verdict = advice === undefined ? "info" : "warning";
    return [finding("environment", verdict, `${name} ${detail}`, advice)];
  });
  const all = [...findings, ...ofRuntime];
  return all.length > 0 ? all : [finding("environment", "ok", "no variable of ours is set")];
}
