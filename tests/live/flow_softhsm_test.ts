/**
 * The whole flow with a key in SoftHSM, and what becomes of a binding whose token fails.
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { detect } from "../../backends/detect.ts";
import { softHsm } from "../support/softhsm.ts";
import { describeFlow } from "./support/flow.ts";
import { describeTokenLoss } from "./support/token_loss.ts";

const token = await softHsm();

if (token === undefined) {
  describe("SoftHSM", () => {
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
