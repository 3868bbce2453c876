/**
 * `npm run verify:windows` on a simulated machine with VBS and without a TPM: its report says what is
 * so there, and it leaves nothing behind. On Windows itself it hasn't run yet.
 *
 * @module
 */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { hostname, userInfo } from "node:os";
import process from "node:process";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { withCertificates } from "../../backends/windows/certificates.ts";
import { windowsKeys } from "../../backends/windows/mod.ts";
import { windowsSystem } from "../../backends/windows/system.ts";
import { SimulatedKsp } from "./support/simulated_ksp.ts";

const SCRIPT = fileURLToPath(new URL("../../scripts/verify_windows.mjs", import.meta.url));

interface Run {
  readonly report: string;
  readonly code: number | null;
}

/** Runs it on this runtime, with the packages that are there. */
async function verify(...options: string[]): Promise<Run> {
  const run = process.versions.deno === undefined ? [] : ["run", "-A", "--no-check"];
  const child = spawn(process.execPath, [...run, SCRIPT, "--no-install", ...options], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  let report = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => report += text);
  const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
  return { report, code };
}

describe("npm run verify:windows under Wine", () => {
  let ksp: SimulatedKsp;
  let run: Run;
  let certificates: number;
  const countCertificates = async () =>
    withCertificates(await windowsSystem(), "user", (store) => store.list()).length;

  before(async () => {
    ksp = await SimulatedKsp.load();
    ksp.reset({ vbs: true });
    await windowsKeys({ minStrength: "keyguard" }).create("KeyGuardRSAKey");
    certificates = await countCertificates();
    run = await verify("--keyguard-shared");
  });
  after(() => ksp.reset());

  /** Outcome and detail of each check of a section. */
  const section = (name: string) => {
    const [, text = ""] = run.report.split(`### ${name}\n`);
    const rows = text.trim().split("\n\n")[0]!.split("\n").slice(2).map((line) =>
      line.split(" | ")
    );
    return new Map(rows.map(([check, outcome, detail]) => [check!.slice(2), [outcome, detail]]));
  };
  const outcomes = (name: string, pattern: RegExp) => [
    ...new Set(
      [...section(name)].filter(([check]) => pattern.test(check)).map(([, [outcome]]) => outcome),
    ),
  ];

  it("comes to its end and says that this is Wine", () => {
    assert.match(run.report, /\(it is Wine\)/);
    assert.doesNotMatch(run.report, /It broke off|comes to its end/);
    assert.match(run.report, /\d+ ok, \d+ failed, \d+ not possible here\n$/);
  });

  it("finds each kind of key that is there, and the status of each that isn't", () => {
    assert.match(
      section("Keys").get("the kind of key that the library chooses")![1]!,
      /`keyguard`/,
    );
    assert.deepEqual(outcomes("Keys", /^(keyguard|software) /), ["ok"]);
    assert.deepEqual(outcomes("Keys", /^hardware /), ["not possible here"]);
    assert.match(section("Keys").get("hardware RSA-2048: is made")![1]!, /0x80090035/);
  });

  it("finds store, mutex, orphans and purge in order", () => {
    assert.deepEqual(outcomes("Certificate store", /./), ["ok"]);
  });

  it("does TLS with RSA keys; those of elliptic curves are beyond Wine's SChannel", () => {
    assert.deepEqual(outcomes("TLS by SChannel", /^(keyguard|software) RSA/), ["ok"]);
    assert.deepEqual(outcomes("TLS by SChannel", /^hardware /), ["not possible here"]);
    assert.deepEqual(outcomes("TLS by SChannel", /P-256: TLSv1\.\d handshake/), ["FAILED"]);
    assert.equal(run.code, 1);
  });

  it("has .NET's key sign, and leaves it alone", async () => {
    assert.deepEqual(outcomes("Key of .NET's library", /./), ["ok"]);
    assert.notEqual(
      await windowsKeys({ minStrength: "keyguard" }).open("KeyGuardRSAKey"),
      undefined,
    );
  });

  it("leaves nothing behind", async () => {
    assert.equal(ksp.keys(), 1);
    assert.equal(await countCertificates(), certificates);
  });

  it("names neither host nor user", () => {
    for (const name of [hostname(), `\\${userInfo().username}`, process.cwd()]) {
      assert.ok(!run.report.includes(name), name);
    }
  });
});
