/**
 * A token endpoint that answers at once and remembers nothing.
 *
 * @module
 */

import type { MtlsTransport } from "../../src/transports.ts";
import { fakeJwt } from "../../tests/support/fake_azure.ts";

/** The transport to it. */
export function instantTransport(): MtlsTransport {
  return {
    name: "instant",
    accepts: () => true,
    async fetch(request, { thumbprint }) {
      const scope = new URLSearchParams(await request.text()).get("scope")!;
      const aud = scope.replace(/\/\.default$/, "");
      return Response.json({
        token_type: "mtls_pop",
        expires_in: 86_400,
        access_token: fakeJwt({ aud, cnf: { "x5t#S256": thumbprint } }),
      });
    },
    retire: () => {},
    close: () => Promise.resolve(),
  };
}
