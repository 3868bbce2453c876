/**
 * Mutual TLS by SChannel with each kind of key, against servers of Node on this host.
 *
 * @module
 */

import { LazySchannel } from "../../../backends/schannel/options.ts";
import { transportOver } from "../../../backends/schannel/transport.ts";
import type { ClientCredential } from "../../../src/credential.ts";
import { fromBase64url, hex } from "../../../src/encoding.ts";
import { isKeyboundError } from "../../../src/errors.ts";
import type { KeyAlgorithm, KeyStrength } from "../../../src/keys.ts";
import type { MtlsTransport } from "../../../src/transports.ts";
import { tlsAuthority } from "../../support/tls_identities.ts";
import type { RequestReport } from "../../support/tls_protocol.ts";
import { startTlsServers, type TlsServers } from "../../support/tls_servers.ts";
import { type Host, keysOf, STRENGTHS, unlessMissing } from "./host.ts";
import { expect } from "./verification.ts";

const VERSIONS = ["TLSv1.2", "TLSv1.3"] as const;
const ALGORITHMS: readonly KeyAlgorithm[] = ["RSA-2048", "P-256"];

/** The checks. */
export async function verifyTls(host: Host): Promise<void> {
  const authority = await tlsAuthority("keybound verification");
  const identity = await authority.server();
  const https = { kind: "https", ...identity, clientCa: authority.pem } as const;
  const servers = await startTlsServers({
    "TLSv1.2": { ...https, maxVersion: "TLSv1.2" },
    "TLSv1.3": { ...https, minVersion: "TLSv1.3" },
  });
  try {
    for (const strength of STRENGTHS) {
      for (const algorithm of ALGORITHMS) {
        await verifyKind(host, { authority, servers, strength, algorithm });
      }
    }
  } finally {
    await servers.close();
  }
}

interface Kind {
  readonly authority: Awaited<ReturnType<typeof tlsAuthority>>;
  readonly servers: TlsServers;
  readonly strength: KeyStrength;
  readonly algorithm: KeyAlgorithm;
}

async function verifyKind(
  { verification, system, run }: Host,
  { authority, servers, strength, algorithm }: Kind,
): Promise<void> {
  const named = (what: string) => `${strength} ${algorithm}: ${what}`;
  const keys = keysOf(system, strength);
  const id = `verify ${run} TLS`;
  const schannel = new LazySchannel({ ca: authority.pem });
  const transport = transportOver(schannel, {});
  let credential: ClientCredential | undefined;
  try {
    const isMade = await verification.check(named("has a certificate"), async () => {
      const key = await unlessMissing(keys.create(id, algorithm, () => {}));
      credential = await authority.client(key);
      return "made for this";
    });
    if (!isMade || credential === undefined) return;
    const client = credential;
    for (const version of VERSIONS) {
      await verification.check(named(`${version} handshake`), async () => {
        const url = servers.url(version, "/report");
        const seen = await ask(transport, url, client, "fresh");
        expect(seen.authorized, "The server didn't take the certificate.");
        const thumbprint = hex(fromBase64url(client.thumbprint));
        expect(seen.certificate === thumbprint, "Another certificate.");
        // One of two at once needs a connection of its own.
        const first = await ask(transport, url, client, "pooled");
        const both = await Promise.all([1, 2].map(() => ask(transport, url, client, "pooled")));
        const again = both.find(({ connection }) => connection !== first.connection);
        const resumed = again?.sessionReused ? "resumed" : "not resumed";
        return `${seen.protocol}; on another connection the session was ${resumed}`;
      });
    }
    await verification.check(named("no handshake once it was removed"), async () => {
      await keys.remove(id);
      const failure = await ask(transport, servers.url("TLSv1.2", "/report"), client, "fresh")
        .then(() => undefined, (error: unknown) => error);
      expect(isKeyboundError(failure, "key_unusable"), `Failed as ${failure}`);
      return `\`key_unusable\`, ${failure.message}`;
    });
  } finally {
    await keys.remove(id).catch(() => {});
    await transport.close();
  }
}

async function ask(
  transport: MtlsTransport,
  url: string,
  credential: ClientCredential,
  connection: "fresh" | "pooled",
): Promise<RequestReport> {
  const response = await transport.fetch(new Request(url), credential, { connection });
  return await response.json() as RequestReport;
}
