/**
 * What the doctor makes of what it sees, and `keybound doctor` against the emulator.
 *
 * @module
 */

import assert from "node:assert/strict";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, describe, it } from "node:test";
import { exitCodeOf, finding } from "../../cli/doctor/finding.ts";
import { certificateFinding } from "../../cli/doctor/keys.ts";
import {
  environmentFindings,
  permissionsFinding,
  runtimeFinding,
} from "../../cli/doctor/program.ts";
import { capabilityFindings, metadataFinding } from "../../cli/doctor/service.ts";
import { clockFinding } from "../../cli/doctor/token.ts";
import { type Emulator, spawnEmulator, unavailable } from "../../emulator/mod.ts";
import { keybound, type Outcome } from "./support/program.ts";

describe("the doctor's verdict", () => {
  it("gives the exit code by the worst", () => {
    const of = (...verdicts: ("ok" | "info" | "warning" | "failure")[]) =>
      exitCodeOf(verdicts.map((verdict) => finding("check", verdict, "")));
    assert.equal(of(), 0);
    assert.equal(of("ok", "info"), 0);
    assert.equal(of("warning", "ok"), 1);
    assert.equal(of("failure", "warning"), 2);
  });

  it("on a runtime is by its own version", () => {
    assert.equal(runtimeFinding({ node: "18.20.0" }, "linux").verdict, "failure");
    assert.equal(runtimeFinding({ node: "20.1.0" }, "linux").verdict, "ok");
    assert.match(runtimeFinding({ node: "24.0.0", deno: "2.1.0" }, "linux").detail, /^Deno 2.1.0/);
    assert.match(runtimeFinding({ node: "24.0.0", bun: "1.4.0" }, "linux").detail, /^Bun 1.4.0/);
    const early = runtimeFinding({ node: "24.0.0", bun: "1.3.9" }, "linux");
    assert.deepEqual([early.verdict, early.advice], ["failure", "Use Bun 1.4 or later."]);
    assert.equal(runtimeFinding({ bun: "1.10.0" }, "linux").verdict, "ok");
    assert.equal(runtimeFinding({ bun: "2.0.0" }, "linux").verdict, "ok");
    assert.equal(runtimeFinding({}, "linux").verdict, "warning");
  });

  it("on permissions is a warning where the network isn't allowed", () => {
    assert.equal(permissionsFinding(() => false).verdict, "warning");
    assert.equal(permissionsFinding((name) => name !== "ffi").verdict, "info");
    assert.equal(permissionsFinding(() => true).verdict, "ok");
    assert.equal(permissionsFinding(undefined).verdict, "ok");
  });

  it("on variables names them and never shows a value", () => {
    const findings = environmentFindings({
      AZURE_POD_IDENTITY_AUTHORITY_HOST: "geheim",
      IDENTITY_HEADER: "ge\nheim",
      IDENTITY_SERVER_THUMBPRINT: "geheim",
      IDENTITY_ENDPOINT: "http://u:geheim@127.0.0.1/",
      MSI_SECRET: "geheim",
      KEYBOUND_PKCS11_URI: "geheim",
      PKCS11_MODULE_PATH: "geheim",
      NODE_TLS_REJECT_UNAUTHORIZED: "0",
      HTTP_PROXY: "http://u:geheim@proxy.example",
      https_proxy: "http://u:geheim@proxy.example",
      HOME: "/root",
    });
    const verdicts = findings.map(({ detail, verdict }) => `${detail.split(" ")[0]} ${verdict}`);
    assert.deepEqual(verdicts, [
      "AZURE_POD_IDENTITY_AUTHORITY_HOST failure",
      "IDENTITY_ENDPOINT failure",
      "IDENTITY_HEADER failure",
      "IDENTITY_SERVER_THUMBPRINT failure",
      "MSI_SECRET ok",
      "KEYBOUND_PKCS11_URI failure",
      "PKCS11_MODULE_PATH failure",
      "NODE_TLS_REJECT_UNAUTHORIZED warning",
      "HTTP_PROXY info",
      "https_proxy info",
    ]);
    assert.ok(!JSON.stringify(findings).includes("geheim"));
    assert.deepEqual(environmentFindings({}).map(({ verdict }) => verdict), ["ok"]);
  });

  const base = "http://169.254.169.254";
  const metadata: [string, Parameters<typeof metadataFinding>, string][] = [
    ["silent, and there is nothing else", [{ base }, {}], "failure"],
    ["silent, and the host has App Service", [{ base }, { source: "AppService" }], "info"],
    ["well", [{ base, status: 200, duration: 1 }, { source: "Imds" }], "ok"],
    ["of version 1", [{ base, status: 404, duration: 1 }, { source: "Imds" }], "info"],
    ["busy", [{ base, status: 429, duration: 1 }, { source: "Imds" }], "warning"],
    ["without the identity", [{ base, status: 400, duration: 1 }, { source: "Imds" }], "failure"],
  ];
  for (const [how, seen, verdict] of metadata) {
    it(`on a metadata service that is ${how} is ${verdict}`, () => {
      assert.equal(metadataFinding(...seen).verdict, verdict);
    });
  }

  it("on a host without bound tokens is a warning, without any a failure", () => {
    const verdicts = (...given: Parameters<typeof capabilityFindings>) =>
      capabilityFindings(...given).map(({ verdict }) => verdict);
    assert.deepEqual(verdicts({ boundTokens: false, strength: "none" }), ["failure"]);
    const bearer = { source: "AppService", boundTokens: false, strength: "none" } as const;
    assert.deepEqual(verdicts(bearer), ["ok", "warning"]);
    const bound = { source: "Imds", boundTokens: true, strength: "keyguard" } as const;
    assert.deepEqual(verdicts(bound), ["ok", "ok"]);
  });

  it("on clocks is by the larger difference", () => {
    const of = (...ahead: number[]) =>
      clockFinding(ahead.map((ms) => ({ server: "s", ahead: ms })));
    assert.equal(of().verdict, "info");
    assert.equal(of(1500, -1500).verdict, "ok");
    assert.equal(of(0, -60_000).verdict, "warning");
    assert.match(of(0, -60_000).detail, /^1 min ahead of s/);
    assert.match(of(61_000).detail, /^1 min 1 s behind s/);
    assert.equal(of(300_000).verdict, "failure");
  });

  it("on a certificate is by its key first", () => {
    const facts = {
      alias: "…(3)",
      thumbprint: "",
      attested: false,
      notBefore: "",
      notAfter: "",
      endpoint: "",
      lifeLeft: 1,
      life: "valid",
      key: "alive",
    } as const;
    assert.equal(certificateFinding(facts).verdict, "ok");
    assert.equal(certificateFinding({ ...facts, life: "due" }).verdict, "ok");
    assert.equal(certificateFinding({ ...facts, life: "expired" }).verdict, "info");
    assert.equal(certificateFinding({ ...facts, life: "early" }).verdict, "warning");
    for (const key of ["dead", "orphaned", "missing", "unknown"] as const) {
      assert.equal(certificateFinding({ ...facts, key }).verdict, "warning");
    }
  });
});

describe("keybound doctor", () => {
  let emulator: Emulator;
  let directory: string;
  let environment: Record<string, string>;
  before(async () => {
    emulator = await spawnEmulator();
    directory = await mkdtemp(join(tmpdir(), "keybound-cli-doctor-"));
    await writeFile(join(directory, "ca.pem"), emulator.ca);
    environment = {
      AZURE_POD_IDENTITY_AUTHORITY_HOST: emulator.metadata,
      KEYBOUND_CA: join(directory, "ca.pem"),
    };
  });
  beforeEach(() => emulator.reset());
  after(async () => {
    await emulator.close();
    await rm(directory, { recursive: true, force: true });
  });

  interface Line {
    readonly check: string;
    readonly verdict: string;
    readonly detail: string;
    readonly advice: string;
  }
  const examine = async (
    ...args: string[]
  ): Promise<Outcome & { readonly of: (check: string) => Line | undefined }> => {
    const outcome = await keybound(["doctor", "--json", ...args], { environment });
    const lines: Line[] = outcome.output.split("\n").map((line) => JSON.parse(line));
    for (const line of lines) {
      assert.deepEqual(Object.keys(line), ["check", "verdict", "detail", "advice"]);
    }
    return { ...outcome, of: (check) => lines.find((line) => line.check === check) };
  };

  it("ends with 2 where nothing answers, and says what to do", async () => {
    const { code, output } = await keybound(["doctor"], {
      environment: { AZURE_POD_IDENTITY_AUTHORITY_HOST: "http://127.0.0.1:9" },
    });
    assert.equal(code, 2);
    assert.match(output, /^failure +metadata service +http:\/\/127\.0\.0\.1:9 doesn't answer$/m);
    assert.match(output, /^ +> Is this an Azure host\?/m);
  });

  it("ends with 2 for a token that is configured and can't be used", async () => {
    const { code, output } = await keybound(["doctor", "--json"], {
      environment: {
        ...environment,
        KEYBOUND_PKCS11_URI: "pkcs11:token=a?module-path=/nowhere.so",
      },
    });
    assert.equal(code, 2);
    assert.match(output, /"check":"backends","verdict":"failure"/);
  });

  it("ends with 2 where the token endpoint isn't trusted", async () => {
    await emulator.set({ serverCertificate: "untrusted" });
    const { code, of } = await examine();
    assert.equal(code, 2);
    assert.match(of("token")!.detail, /^tls_server_untrusted: /);
    assert.equal(of("tls")!.verdict, "info");
  });

  it("ends with 1 where the host can't bind tokens", async () => {
    await emulator.set({ v1Only: true });
    const { code, of } = await examine();
    assert.equal(code, 1);
    assert.equal(of("capabilities")!.verdict, "warning");
    assert.match(of("token")!.detail, /^Bearer from Imds/);
  });

  it("sees that the metadata service is out of order, though tokens come", async () => {
    await emulator.script("getplatformmetadata", unavailable(503));
    const { of } = await examine();
    assert.equal(of("metadata service")!.verdict, "warning");
  });

  it("ends with 0 on a healthy host, and leaves nothing behind", async () => {
    const own = join(directory, "own");
    const { code, of, output, complaint } = await examine("--directory", own);
    assert.equal(code, 0, output);
    assert.equal(complaint, "");
    for (const check of ["metadata service", "source", "capabilities", "token", "tls", "clock"]) {
      assert.equal(of(check)?.verdict, "ok", check);
    }
    assert.match(of("keys: temporary")!.detail, /rsa_pss_rsae_sha256 in [\d.]+ ms$/);
    assert.ok(!/eyJ[\w-]+\.|PRIVATE KEY/.test(output));
    await assert.rejects(readdir(own), { code: "ENOENT" });
  });

  it("has the key of a directory sign, and looks at its certificates", async () => {
    const own = join(directory, "used");
    const token = ["token", "--resource", "https://vault.azure.net", "--directory", own];
    assert.equal((await keybound(token, { environment })).code, 0);
    const healthy = await examine("--directory", own);
    assert.equal(healthy.code, 0);
    assert.match(
      healthy.of("keys: webcrypto")!.detail,
      /^key 'keybound', strength software: rsa_pss/,
    );
    assert.match(healthy.of("certificate")!.detail, /^….{8}\(\d+\): 6 d 23 h left, key alive$/);
    await keybound(["keys", "create", "--directory", own]);
    const orphaned = await examine("--directory", own);
    assert.equal(orphaned.code, 1);
    assert.match(orphaned.of("certificate")!.detail, /key orphaned$/);
  });
});
