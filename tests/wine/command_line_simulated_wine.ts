/**
 * `keybound doctor` and `keybound certs` on Windows, as Wine and the simulated KSP have it.
 *
 * @module
 */

import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, describe, it } from "node:test";
import { windowsKeys } from "../../backends/windows/mod.ts";
import type { Emulator } from "../../emulator/mod.ts";
import { keybound } from "../cli/support/program.ts";
import { forgetEntries, ownEntries, runningEmulator } from "./support/flow.ts";
import { SimulatedKsp } from "./support/simulated_ksp.ts";

interface Finding {
  readonly check: string;
  readonly verdict: string;
  readonly detail: string;
}

describe("the command line on Windows", () => {
  let emulator: Emulator;
  let ksp: SimulatedKsp;
  let directory: string;
  let environment: Record<string, string>;

  before(async () => {
    emulator = await runningEmulator();
    ksp = await SimulatedKsp.load();
    directory = await mkdtemp(join(tmpdir(), "keybound-cli-"));
    const authorities = join(directory, "ca.pem");
    await writeFile(authorities, emulator.ca);
    environment = {
      AZURE_POD_IDENTITY_AUTHORITY_HOST: emulator.metadata,
      KEYBOUND_CA: authorities,
    };
  });
  beforeEach(async () => {
    ksp.reset();
    await forgetEntries();
    await emulator.reset();
    // The token endpoint's pin; Wine's SChannel speaks TLS 1.3 wherever the server does.
    await emulator.set({ maxTlsVersion: "TLSv1.2" });
  });
  after(async () => {
    await forgetEntries();
    ksp.reset();
    await rm(directory, { recursive: true, force: true });
  });

  const doctor = async () => {
    const { code, output } = await keybound(["doctor", "--json"], { environment });
    const findings = output.split("\n").map((line) => JSON.parse(line) as Finding);
    const of = (check: string) => {
      const { verdict, detail } = findings.find((finding) => finding.check === check)!;
      return `${verdict}: ${detail}`;
    };
    return { code, output, of };
  };
  const token = async () => {
    const args = ["token", "--resource", "https://vault.azure.net", "--json"];
    const { code, complaint } = await keybound(args, { environment });
    assert.equal(code, 0, complaint);
  };
  const certs = async () => {
    const { output } = await keybound(["certs", "list", "--json"], { environment });
    return output.split("\n").filter(Boolean).map((line) => JSON.parse(line).key as string);
  };

  it("finds what this Windows lacks, and that a token is to be had all the same", async () => {
    const { code, output, of } = await doctor();
    assert.equal(code, 0, output);
    assert.match(of("windows: VBS"), /^info: off/);
    assert.match(of("windows: KeyGuard"), /^info: no such keys: .*0x80890014/);
    assert.match(of("windows: TPM"), /^info: no such keys: /);
    assert.match(of("windows: software"), /^ok: /);
    assert.match(of("windows: store"), /^ok: no certificate of ours/);
    assert.match(of("windows: TLS"), /^ok: TLS 1\.2/);
    assert.match(of("token"), /^ok: mtls_pop/);
    assert.equal(ksp.keys(), 0, "a key was left");
    assert.deepEqual(await ownEntries(), []);
  });

  it("finds VBS and a TPM where they are", async () => {
    ksp.change({ vbs: true, tpm: "ready" });
    const { of } = await doctor();
    assert.equal(of("windows: VBS"), "ok: on: it isolates keys");
    assert.match(of("windows: KeyGuard"), /^ok: /);
    assert.match(of("windows: TPM"), /^ok: /);
  });

  it("shows what is kept with the state of its key, and throws it away", async () => {
    await token();
    assert.match((await doctor()).of("certificate"), /^ok: .* key alive$/);
    assert.deepEqual(await certs(), ["alive"]);
    await windowsKeys().remove("keybound");
    const orphan = await doctor();
    assert.equal(orphan.code, 1);
    assert.match(orphan.of("certificate"), /^warning: .* key missing$/);
    assert.deepEqual(await certs(), ["missing"]);
    const { output } = await keybound(["certs", "evict", "--all", "--json"], { environment });
    assert.deepEqual(JSON.parse(output), { evicted: 1 });
    assert.deepEqual(await ownEntries(), []);
  });
});
