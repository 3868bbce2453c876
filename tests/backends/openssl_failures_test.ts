/**
 * How requests of the transport over OpenSSL fail.
 *
 * @module
 */

import process from "node:process";
import { opensslTransport } from "../../backends/openssl/mod.ts";
import { describeMtlsFailures } from "../conformance/mtls_failures.ts";
import { synchronousKey } from "../support/synchronous_keys.ts";

describeMtlsFailures("failures of opensslTransport", {
  transport: (ca) => opensslTransport({ ca }),
  // deno-lint-ignore require-await
  key: async (algorithm) => synchronousKey(algorithm),
  // Deno's `node:http` does, whoever makes the connections (2.9.6).
}, { resends: process.versions.deno !== undefined });
