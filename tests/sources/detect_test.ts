/**
 * Which source a host has (protocol.md section 7.1).
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Environment, HostAccess } from "../../src/sources/mod.ts";
import { ENVIRONMENTS, fakeHost } from "./support/fake_host.ts";

const LINUX_AGENT = "/opt/azcmagent/bin/himds";
const WINDOWS_AGENT = "C:\\Program Files\\AzureConnectedMachineAgent\\himds.exe";
const PROGRAM_FILES = "C:\\Program Files";

describe("the source of a host", () => {
  for (const [name, environment] of Object.entries(ENVIRONMENTS)) {
    it(`is ${name} by its environment, without a request`, async () => {
      const { sources, sent } = fakeHost(environment);
      assert.equal(await sources.find(), name);
      assert.equal(sent.length, 0);
    });
  }

  const { AppService, MachineLearning, CloudShell, AzureArc, ServiceFabric } = ENVIRONMENTS;
  const mixed: [string, Environment, string][] = [
    ["both generations of App Service's variables", {
      ...MachineLearning,
      ...AppService,
    }, "AppService"],
    ["everything at once", { ...AzureArc, ...MachineLearning, ...ServiceFabric }, "ServiceFabric"],
    ["Cloud Shell's and Arc's", { ...AzureArc, ...CloudShell }, "CloudShell"],
    ["empty variables", {
      IDENTITY_ENDPOINT: "",
      IDENTITY_HEADER: "",
      MSI_ENDPOINT: "",
      IMDS_ENDPOINT: "",
    }, "Imds"],
    ["an endpoint without anything else", { IDENTITY_ENDPOINT: "http://x" }, "Imds"],
    ["a header without an endpoint", { IDENTITY_HEADER: "x" }, "Imds"],
    ["a thumbprint without a header", {
      ...AzureArc,
      IDENTITY_SERVER_THUMBPRINT: "x",
    }, "AzureArc"],
    ["an empty thumbprint", { ...AppService, IDENTITY_SERVER_THUMBPRINT: "" }, "AppService"],
    ["an empty secret", { ...CloudShell, MSI_SECRET: "" }, "CloudShell"],
    ["a secret without an endpoint", { MSI_SECRET: "x" }, "Imds"],
  ];
  for (const [name, environment, expected] of mixed) {
    it(`is ${expected} for ${name}`, async () => {
      assert.equal(await fakeHost(environment).sources.find(), expected);
    });
  }

  const agents: [string, HostAccess["platform"], Environment, string, string][] = [
    ["on Linux", "linux", {}, LINUX_AGENT, "AzureArc"],
    ["on Windows", "windows", { ProgramFiles: PROGRAM_FILES }, WINDOWS_AGENT, "AzureArc"],
    [
      "on Windows, in capitals",
      "windows",
      { PROGRAMFILES: PROGRAM_FILES },
      WINDOWS_AGENT,
      "AzureArc",
    ],
    ["on Windows without ProgramFiles", "windows", {}, WINDOWS_AGENT, "Imds"],
    ["on another platform", "other", {}, LINUX_AGENT, "Imds"],
    [
      "under a name of Windows on Linux",
      "linux",
      { ProgramFiles: PROGRAM_FILES },
      WINDOWS_AGENT,
      "Imds",
    ],
  ];
  for (const [name, platform, environment, path, expected] of agents) {
    it(`is ${expected} where Arc's agent is installed ${name}`, async () => {
      const { sources } = fakeHost(environment, { platform, files: { [path]: "" } });
      assert.equal(await sources.find(), expected);
    });
  }

  it("is what the environment says where Arc's agent is installed too", async () => {
    const { sources } = fakeHost(AppService, { files: { [LINUX_AGENT]: "" } });
    assert.equal(await sources.find(), "AppService");
  });

  it("is looked for anew each time", async () => {
    const environment: Record<string, string> = {};
    const { sources } = fakeHost(environment);
    assert.equal(await sources.find(), "Imds");
    Object.assign(environment, AppService);
    assert.equal(await sources.find(), "AppService");
  });
});
