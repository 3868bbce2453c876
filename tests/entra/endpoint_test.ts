/**
 * The last line of defence of a token request: what goes over mutual TLS never goes without.
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { requestEntraToken } from "../../src/entra/endpoint.ts";
import { chooseMode } from "../../src/entra/mode.ts";
import { Throttle } from "../../src/token/throttle.ts";
import { fakeEntra, SCOPE } from "./support/fake_entra.ts";

describe("a request that is to go over mutual TLS", () => {
  for (const wish of ["mtls_pop", "bearer"] as const) {
    it(`for a token that is ${wish} isn't sent without a certificate`, async () => {
      const entra = fakeEntra();
      const endpoint = {
        clientId: "client",
        transports: [entra.transport],
        fetch: entra.fetch,
        clock: entra.clock,
        random: () => 0.5,
        crypto,
        tokenTimeout: 1000,
        tokenTlsVersion: "TLSv1.2",
        throttle: new Throttle(),
      } as const;
      const query = { cacheKey: "", scope: SCOPE, claims: undefined, fmiPath: undefined };
      const route = {
        mode: chooseMode("certificate", wish, true),
        url: "https://mtlsauth.microsoft.com/t/oauth2/v2.0/token",
        proof: { kind: "certificate", assertion: undefined, credential: undefined },
      } as const;
      const { signal } = new AbortController();
      const context = { correlationId: crypto.randomUUID(), emit: () => {}, signal };
      await assert.rejects(requestEntraToken(endpoint, query, route, context), {
        code: "mtls_certificate_not_provided",
      });
      assert.equal(entra.counts(), "0+0+0+0");
    });
  }
});
