/**
 * The certificate store of Windows on a simulated machine: the conformance suite.
 *
 * @module
 */

import { type StoreScope, windowsStore } from "../../backends/windows/mod.ts";
import { describeCertStore } from "../conformance/cert_store.ts";
import { SimulatedMachine } from "./support/machine.ts";

for (const scope of ["user", "machine"] as StoreScope[]) {
  describeCertStore(`windowsStore (simulated, ${scope})`, (clock) => {
    const machine = new SimulatedMachine();
    const store = () => {
      const { system } = machine.process();
      return windowsStore({ clock, scope, system: () => Promise.resolve(system) });
    };
    return Promise.resolve({ store: store(), another: () => Promise.resolve(store()) });
  }, { name: "windows", keepsCertificatesOnce: true });
}
