/**
 * The whole flow as on every host, with the backends that `detect` chooses on Windows.
 *
 * @module
 */

import { before } from "node:test";
import { detect } from "../../backends/detect.ts";
import { describeFlow } from "../live/support/flow.ts";
import { forgetEntries, runningEmulator } from "./support/flow.ts";
import { SimulatedKsp } from "./support/simulated_ksp.ts";

before(async () => (await SimulatedKsp.load()).reset());

describeFlow({
  emulator: runningEmulator,
  // Each test begins with an empty store.
  host: async (options) => {
    await forgetEntries();
    return await detect({ ...options, windows: true });
  },
  end: forgetEntries,
  // Wine's SChannel takes no others, and speaks TLS 1.3 wherever the server does.
  keyAlgorithm: "RSA-2048",
  holdsVersion: false,
  // Under Wine a runtime may be told of the end before it has read what came before that.
  readsBeforeEnd: false,
});
