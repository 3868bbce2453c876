/**
 * The whole flow with a key in a TPM 2, and what becomes of a binding whose token fails.
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { detect } from "../../backends/detect.ts";
import { softwareTpm } from "../support/swtpm.ts";
import { describeFlow } from "./support/flow.ts";
import { describeTokenLoss } from "./support/token_loss.ts";

const token = await softwareTpm();

if (token === undefined) {
  describe("a TPM 2", () => {
    it("is not there: nothing is tested", () => assert.equal(token, undefined));
  });
} else {
  const pkcs11 = {
    module: token.library,
    uri: `pkcs11:token=${token.label}`,
    pin: () => token.pin,
  };
  describeTokenLoss({ token, pkcs11 });
  describeFlow({ host: (options) => detect({ ...options, pkcs11 }), end: token.destroy });
}
