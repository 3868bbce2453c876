/**
 * Which backends `detect` chooses, by what it is told and what the host has.
 *
 * @module
 */

import assert from "node:assert/strict";
import process from "node:process";
import { describe, it } from "node:test";
import { detect, type DetectedHost, type DetectOptions } from "../../backends/detect.ts";
import { windowsBackends } from "../../backends/detect/windows.ts";
import { type ErrorCode, isKeyboundError } from "../../src/errors.ts";
import { managedIdentity } from "../../src/managed_identity.ts";
import { SimulatedMachine } from "../windows/support/machine.ts";

const DIRECTORY = "/nowhere/keybound";
const URI = "pkcs11:token=a?module-path=/nowhere.so";
const DISABLED = { MSAL_MI_DISABLE_PERSISTENT_CERT_CACHE: "TRUE" };

const isError = (code: ErrorCode) => (error: unknown) => isKeyboundError(error, code);

/** Windows as a process on this machine has it. */
function windowsOf(machine: SimulatedMachine) {
  const { system } = machine.process();
  return { system: () => Promise.resolve(system) };
}

/** What was chosen: keys, store, transports. */
function choiceOf({ keys, store, transports }: DetectedHost): string {
  return `${keys.name} ${store.name} ${transports.map(({ name }) => name).join("+")}`;
}

describe("detect", () => {
  const choices: readonly (readonly [string, DetectOptions, string])[] = [
    ["software keys in memory", {}, "webcrypto memory node_tls"],
    ["files where a directory is given", { directory: DIRECTORY }, "webcrypto files node_tls"],
    ["keys, store and TLS of Windows", {
      windows: windowsOf(new SimulatedMachine()),
    }, "windows windows node_tls+schannel"],
    ["keys of Windows before a token of the environment", {
      windows: windowsOf(new SimulatedMachine()),
      environment: { KEYBOUND_PKCS11_URI: URI },
    }, "windows windows node_tls+schannel"],
    ["certificates in memory where the store of Windows is switched off", {
      windows: windowsOf(new SimulatedMachine()),
      environment: DISABLED,
    }, "windows memory node_tls+schannel"],
    ["certificates in a directory that is given, with keys of Windows", {
      windows: windowsOf(new SimulatedMachine()),
      directory: DIRECTORY,
    }, "windows files node_tls+schannel"],
    ["software keys where those of Windows aren't wanted", {
      windows: false,
    }, "webcrypto memory node_tls"],
  ];
  for (const [title, options, choice] of choices) {
    it(`chooses ${title}`, async () => {
      const host = await detect({ environment: {}, ...options });
      const expected = choice.replaceAll("node_tls", host.transports[0]!.name);
      assert.equal(choiceOf(host), expected);
      assert.equal(host.attestor?.name, choice.startsWith("windows") ? "windows" : undefined);
      assert.equal(host.reasons.length, 3);
      await host.close();
    });
  }

  it("refuses 'pkcs11' and 'windows' together", async () => {
    const both = { pkcs11: { uri: URI }, windows: true };
    await assert.rejects(detect(both), isError("invalid_argument"));
  });

  it("gives a fetch that one of the caller's takes the place of", async () => {
    const environment = { AZURE_POD_IDENTITY_AUTHORITY_HOST: "http://127.0.0.1:1" };
    const host = await detect({ environment, windows: false });
    const asked: string[] = [];
    const fetch: typeof globalThis.fetch = (input) => {
      asked.push(String(input));
      return Promise.reject(new Error("offline"));
    };
    const identity = managedIdentity({ ...host, keyAlgorithm: "P-256", fetch });
    const resource = "https://vault.azure.net";
    const failed = isError("managed_identity_request_failed");
    await assert.rejects(identity.getToken({ resource }), failed);
    assert.deepEqual(asked.map((url) => new URL(url).host), ["127.0.0.1:1"]);
    await assert.rejects(managedIdentity(host).getToken({ resource }), failed);
    assert.equal(asked.length, 1);
    await host.close();
  });

  it("passes on the weakest kind of key that will do", async () => {
    const machine = new SimulatedMachine({ vbs: false, tpm: "absent" });
    const windows = { ...windowsOf(machine), minStrength: "hardware" } as const;
    const { keys } = await detect({ environment: {}, windows });
    await assert.rejects(keys.create("a"), isError("min_strength_not_met"));
  });

  it("names the machine's store where that is meant", async () => {
    const windows = { ...windowsOf(new SimulatedMachine()), scope: "machine" } as const;
    const { reasons } = await detect({ environment: {}, windows });
    assert.equal(reasons.at(-1), "Certificates in LocalMachine\\My.");
  });

  if (process.platform !== "win32") {
    it("rejects where keys of Windows are asked for and this is no Windows", async () => {
      for (const windows of [true, {}]) {
        const asked = detect({ environment: {}, windows });
        await assert.rejects(asked, isError("key_provider_unavailable"));
      }
    });

    it("gives the reason where nobody asked and Windows can't be reached", async () => {
      const hints = { windows: undefined, environment: {}, platform: "win32" };
      const found = await windowsBackends(hints);
      assert.ok(found !== undefined && "reason" in found);
      assert.match(found.reason, /^Keys of Windows can't be used: /);
      assert.equal(await windowsBackends({ ...hints, platform: "linux" }), undefined);
      assert.equal(await windowsBackends({ ...hints, windows: false }), undefined);
    });
  }
});
