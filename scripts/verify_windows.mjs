/**
 * `npm run verify:windows`: what of Windows this library relies on, tried on this host, as a Markdown
 * report for an issue. `deno run -A` and `bun` run it as well, with a Node on the PATH for the
 * servers: the checks are made on the runtime that runs this file.
 *
 * @module
 */

import { spawn } from "node:child_process";
import process from "node:process";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import { installDependencies } from "./lib/dependencies.mjs";
import { inProject, readJson } from "./lib/project.mjs";
import { node } from "./lib/runtime_commands.mjs";
import { say, useStandardError } from "./lib/terminal.mjs";
import { outcomes, report, signOf } from "./lib/windows_report.mjs";

const USAGE = `npm run verify:windows [-- options]

Tries keys, certificate store, mutex and TLS of Windows with keys and certificates that it makes for
that and removes again; nothing else on this host is changed. It needs no Azure. Standard output is
a Markdown report without names or secrets; please paste it into an issue.

  --keyguard-shared         also looks at KeyGuardRSAKey, the key of .NET's library, and signs with it
  --attestation <path>      AttestationClientLib.dll (default: beside this runtime)
  --azure                   on an Azure VM: also gets tokens from the real service; prints none
  --resource <uri>          for --azure (default: https://vault.azure.net)
  --no-install              takes the packages of node_modules as they are

On a VM with Trusted Launch, KeyGuard keys should be there; on a plain one, software keys.`;

const { values } = parseArgs({
  options: {
    "keyguard-shared": { type: "boolean", default: false },
    attestation: { type: "string" },
    azure: { type: "boolean", default: false },
    resource: { type: "string", default: "https://vault.azure.net" },
    "no-install": { type: "boolean", default: false },
    help: { type: "boolean", short: "h" },
  },
});

if (values.help) say(USAGE);
else if (process.platform !== "win32") {
  useStandardError();
  say("This verifies Windows and runs there only: clone the project on a Windows host.");
  process.exitCode = 2;
} else await main();

async function main() {
  useStandardError();
  if (!values["no-install"]) await installDependencies();
  const settings = {
    sharedKey: values["keyguard-shared"],
    ...(values.attestation === undefined ? {} : { attestationLibrary: values.attestation }),
    ...(values.azure ? { azureResource: values.resource } : {}),
  };
  const { version } = readJson(inProject("package.json"));
  const seen = await verify(settings);
  process.stdout.write(report({ ...seen, facts: { keybound: version, ...seen.facts } }));
  process.exitCode = seen.broken === undefined && outcomes(seen.findings).failed === 0 ? 0 : 1;
}

/**
 * Makes the checks in a process of their own, which may die in native code.
 *
 * @param {object} settings
 * @returns {Promise<import("./lib/windows_report.mjs").Seen>}
 */
async function verify(settings) {
  const program = inProject("tests", "windows", "verify", "main.ts");
  const child = spawn(process.execPath, [...runArguments(), program, JSON.stringify(settings)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = new Promise((resolve) => child.once("close", resolve));
  /** @type {import("./lib/windows_report.mjs").Finding[]} */
  const findings = [];
  let facts = {};
  let section = "";
  /** @type {string | undefined} */
  let begun;
  for await (const line of createInterface({ input: child.stdout })) {
    const told = JSON.parse(line);
    if (told.facts !== undefined) facts = told.facts;
    if (told.begin !== undefined) begun = `${told.begin.section}: ${told.begin.check}`;
    if (told.finding === undefined) continue;
    begun = undefined;
    const { finding } = told;
    findings.push(finding);
    if (finding.section !== section) say(`\n${finding.section}`);
    section = finding.section;
    say(`  ${signOf(finding)}  ${finding.check}  (${finding.ms} ms)`);
    if (finding.outcome !== "ok") say(`        ${finding.detail}`);
  }
  const code = await ended;
  if (code === 0) return { facts, findings };
  const where = begun === undefined ? "between two checks" : `during "${begun}"`;
  return { facts, findings, broken: `The process ended ${where}, with code ${hex(code)}.` };
}

/** What the runtime that runs this file needs before the path of a program in TypeScript. */
function runArguments() {
  const { deno, bun, node: version } = process.versions;
  if (deno !== undefined) return ["run", "-A", "--no-check"];
  return bun === undefined ? node(process.execPath, version).runArgs : ["run"];
}

/** @param {unknown} code an exit code, which may be a status of Windows */
function hex(code) {
  return typeof code === "number" && code > 255 ? `0x${code.toString(16)}` : String(code);
}
