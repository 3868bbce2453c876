/**
 * The transport over OpenSSL, as every transport: with keys that sign in place, and with keys that
 * sign by a promise while the handshake waits on another thread.
 *
 * @module
 */

import { opensslTransport } from "../../backends/openssl/mod.ts";
import { webcryptoKeys } from "../../backends/webcrypto/mod.ts";
import { describeMtlsTransport } from "../conformance/mtls_transport.ts";
import { synchronousKey } from "../support/synchronous_keys.ts";

// Longer than the suite takes: what ends in it doesn't end for being idle.
const keepAliveTimeout = 600_000;

describeMtlsTransport(
  "opensslTransport with keys that sign in place, as every transport",
  // deno-lint-ignore require-await
  async () => ({
    transport: (ca) => opensslTransport({ ca, keepAliveTimeout, signing: "in-place" }),
    refusedSchemes: [],
    // deno-lint-ignore require-await
    key: async (algorithm) => synchronousKey(algorithm),
  }),
  { name: "openssl" },
);

describeMtlsTransport(
  "opensslTransport with keys that sign by a promise, as every transport",
  // deno-lint-ignore require-await
  async () => {
    const keys = webcryptoKeys();
    let number = 0;
    return {
      transport: (ca) => opensslTransport({ ca, keepAliveTimeout }),
      refusedSchemes: [],
      key: (algorithm) => keys.create(`key-${number++}`, { algorithm }),
    };
  },
  { name: "openssl" },
);
