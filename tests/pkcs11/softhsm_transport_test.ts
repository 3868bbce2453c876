/**
 * Mutual TLS with keys in SoftHSM, as every transport does it.
 *
 * @module
 */

import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { softHsm } from "../support/softhsm.ts";
import { optionsOf } from "./support/tokens.ts";
import { describeTransportOver } from "./support/transport.ts";

const token = await softHsm();

describe("TLS with keys in SoftHSM", () => {
  if (token === undefined) {
    it("is not to be tried: it isn't installed", () => assert.equal(token, undefined));
    return;
  }
  after(() => token.destroy());
  describeTransportOver("opensslTransport, as every transport", optionsOf(token));
});
