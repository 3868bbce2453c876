/**
 * The transport suite with keys that live in a token.
 *
 * @module
 */

import { opensslTransport } from "../../../backends/openssl/mod.ts";
import { pkcs11Keys, type Pkcs11Options } from "../../../backends/pkcs11/mod.ts";
import { describeMtlsTransport } from "../../conformance/mtls_transport.ts";

/** Declares the suite of every transport, with keys of this token. */
export function describeTransportOver(title: string, options: Pkcs11Options): void {
  describeMtlsTransport(
    title,
    // deno-lint-ignore require-await
    async () => {
      const keys = pkcs11Keys(options);
      const made: string[] = [];
      return {
        // Longer than the suite takes: what ends in it doesn't end for being idle.
        transport: (ca) => opensslTransport({ ca, keepAliveTimeout: 600_000 }),
        refusedSchemes: [],
        async key(algorithm) {
          const id = `key-${made.length}`;
          made.push(id);
          return await keys.create(id, { algorithm });
        },
        async cleanup() {
          for (const id of made) await keys.remove(id);
          await keys.close();
        },
      };
    },
    // The first is what most tests use: P-256, which every token makes fast.
    { name: "openssl", algorithms: ["P-256", "RSA-2048"] },
  );
}
