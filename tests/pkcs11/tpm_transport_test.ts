/**
 * Mutual TLS with keys in a TPM 2, as every transport does it.
 *
 * @module
 */

import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { softwareTpm } from "../support/swtpm.ts";
import { optionsOf } from "./support/tokens.ts";
import { describeTransportOver } from "./support/transport.ts";

const token = await softwareTpm();

describe("TLS with keys in a TPM 2", () => {
  if (token === undefined) {
    it("is not to be tried: it isn't installed", () => assert.equal(token, undefined));
    return;
  }
  after(() => token.destroy());
  describeTransportOver("opensslTransport, as every transport", optionsOf(token));
});
