/**
 * How requests of the transport over `node:https` fail.
 *
 * @module
 */

import process from "node:process";
import { nodeTlsTransport } from "../../backends/node_tls/mod.ts";
import { webcryptoKeys } from "../../backends/webcrypto/mod.ts";
import { describeMtlsFailures } from "../conformance/mtls_failures.ts";

const keys = webcryptoKeys();
let number = 0;

describeMtlsFailures("failures of nodeTlsTransport", {
  transport: (ca) => nodeTlsTransport({ ca }),
  key: (algorithm) => keys.create(`key-${number++}`, { algorithm }),
}, { resends: process.versions.deno !== undefined });
