/**
 * The key provider of Windows on a simulated machine: the conformance suite, for each kind of key.
 *
 * @module
 */

import { windowsKeys } from "../../backends/windows/mod.ts";
import type { KeyStrength } from "../../src/keys.ts";
import { describeKeyProvider } from "../conformance/key_provider.ts";
import { type MachineOptions, SimulatedMachine } from "./support/machine.ts";

const HOSTS: readonly [KeyStrength, MachineOptions][] = [
  ["keyguard", {}],
  ["hardware", { vbs: false }],
  ["software", { vbs: false, tpm: "absent" }],
];

for (const [strength, options] of HOSTS) {
  describeKeyProvider(`windowsKeys (simulated, ${strength})`, () => {
    const machine = new SimulatedMachine(options);
    const keys = () => {
      const { system } = machine.process();
      return windowsKeys({ system: () => Promise.resolve(system) });
    };
    return Promise.resolve({ provider: keys(), another: () => Promise.resolve(keys()) });
  }, {
    name: "windows",
    strength,
    algorithms: strength === "software" ? ["P-256", "RSA-2048", "RSA-3072"] : ["P-256", "RSA-2048"],
    removalIsImmediate: true,
  });
}
