/**
 * The transport over SChannel, as every transport. Under Wine: SChannel is Wine's, over GnuTLS, and
 * the keys are CAPI's.
 *
 * @module
 */

import { schannelTransport } from "../../backends/schannel/mod.ts";
import { describeMtlsTransport } from "../conformance/mtls_transport.ts";
import { CapiKeys } from "./support/capi_keys.ts";

// Longer than the suite takes: what ends in it doesn't end for being idle.
const keepAliveTimeout = 600_000;

describeMtlsTransport(
  "schannelTransport under Wine, as every transport",
  async () => {
    const keys = await CapiKeys.load();
    return {
      transport: (ca) => schannelTransport({ ca, keepAliveTimeout }),
      // Wine signs by PSS with a key of CAPI; Windows doesn't.
      // deno-lint-ignore require-await
      key: async () => keys.create(["rsa_pss_rsae_sha256", "rsa_pkcs1_sha256"]),
      // deno-lint-ignore require-await
      cleanup: async () => keys.removeAll(),
    };
  },
  // What makes Wine speak TLS 1.3 also makes it offer every version at all times.
  {
    name: "schannel",
    algorithms: ["RSA-2048"],
    heldVersions: ["TLSv1.3"],
    readsBeforeReset: false,
  },
);
