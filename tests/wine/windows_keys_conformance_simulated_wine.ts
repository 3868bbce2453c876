/**
 * The key provider of Windows as every key provider, for each kind of key: real calls by the FFI of
 * a Windows runtime, into the simulated KSP.
 *
 * @module
 */

import { windowsKeys } from "../../backends/windows/mod.ts";
import type { KeyStrength } from "../../src/keys.ts";
import { describeKeyProvider } from "../conformance/key_provider.ts";
import { type SimulatedHost, SimulatedKsp } from "./support/simulated_ksp.ts";

const HOSTS: readonly [KeyStrength, SimulatedHost][] = [
  ["keyguard", { vbs: true, tpm: "ready" }],
  ["hardware", { tpm: "ready" }],
  ["software", {}],
];

for (const [strength, host] of HOSTS) {
  describeKeyProvider(`windowsKeys (simulated KSP, ${strength})`, async () => {
    const ksp = await SimulatedKsp.load();
    ksp.reset(host);
    return {
      provider: windowsKeys(),
      another: () => Promise.resolve(windowsKeys()),
      cleanup: () => Promise.resolve(ksp.reset()),
    };
  }, {
    name: "windows",
    strength,
    algorithms: strength === "hardware" ? ["P-256", "RSA-2048"] : ["P-256", "RSA-2048", "RSA-3072"],
    removalIsImmediate: true,
  });
}
