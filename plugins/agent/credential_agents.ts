/**
 * The agent of one credential: by the runtime's own TLS where the key can be handed to it, by OpenSSL
 * where the key can't leave its place.
 *
 * @module
 */

import type { Agent } from "node:https";
import { trustAnchors } from "../../backends/http/trust_anchors.ts";
import { credentialAgents } from "../../backends/node_tls/agents.ts";
import { clientPem } from "../../backends/node_tls/client_pem.ts";
import type { ClientCredential } from "../../src/credential.ts";
import { isPemExportable } from "../../src/keys.ts";
import { encodePem } from "../../src/x509/pem.ts";
import type { KeyAgentOptions } from "./options.ts";

/**
 * An agent that presents this credential and no other.
 *
 * Rejects as `nodeTlsTransport` and `opensslAgent` do: `key_unusable`, `certificate_key_mismatch`,
 * `unsupported_key`, `transport_not_available`, `missing_dependency`, `invalid_pem`.
 */
export async function credentialAgent(
  credential: ClientCredential,
  options: Readonly<KeyAgentOptions>,
): Promise<Agent> {
  const { ca, minVersion = "TLSv1.2", maxVersion = "TLSv1.3" } = options;
  const { keepAlive = true, keepAliveTimeout = 15_000, openssl } = options;
  if (isPemExportable(credential.key)) {
    const agents = credentialAgents(await clientPem(credential), { minVersion, maxVersion }, {
      ca: ca === undefined
        ? undefined
        : trustAnchors(ca).map((der) => encodePem("CERTIFICATE", der)),
      keepAliveTimeout,
    });
    return keepAlive ? agents.pooled : agents.fresh;
  }
  const { opensslAgent } = await import("../../backends/openssl/mod.ts");
  return opensslAgent(credential, {
    ...openssl,
    ...(ca === undefined ? {} : { ca }),
    minVersion,
    maxVersion,
    agent: { keepAlive, ...(keepAlive ? { timeout: keepAliveTimeout } : {}) },
  });
}
