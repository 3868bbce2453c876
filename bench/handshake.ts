/**
 * TLS with a key in SoftHSM (without one: a key of node:crypto that is never exported) and in a TPM 2
 * in software, through the OpenSSL engine, against the runtime's own TLS with a key in PEM:
 * handshakes in full, handshakes that resume a session, and 25 MB of data.
 *
 * @module
 */

import { nodeTlsTransport } from "../backends/node_tls/mod.ts";
import { opensslTransport } from "../backends/openssl/mod.ts";
import { type Pkcs11KeyProvider, pkcs11Keys } from "../backends/pkcs11/mod.ts";
import { webcryptoKeys } from "../backends/webcrypto/mod.ts";
import type { Token } from "../scripts/lib/tokens.mjs";
import type { ClientCredential } from "../src/credential.ts";
import type { MtlsFetchOptions, MtlsTransport, TlsVersion } from "../src/transports.ts";
import { softHsm } from "../tests/support/softhsm.ts";
import { softwareTpm } from "../tests/support/swtpm.ts";
import { synchronousKey } from "../tests/support/synchronous_keys.ts";
import { tlsAuthority } from "../tests/support/tls_identities.ts";
import { startTlsServers } from "../tests/support/tls_servers.ts";
import { interleaved, median, times } from "./support/measure.ts";
import { Report } from "./support/report.ts";

const ROUNDS = 200;
const WARM_UP = 20;
const BULK_ROUNDS = 7;
const BULK = 25_000_000;
const PEER = "native TLS with a PEM key";

const report = new Report();
const authority = await tlsAuthority("Handshake Benchmark");
const https = { kind: "https", ...await authority.server(), clientCa: authority.pem } as const;
const servers = await startTlsServers({
  "TLSv1.2": { ...https, maxVersion: "TLSv1.2" },
  "TLSv1.3": { ...https, minVersion: "TLSv1.3" },
});
const ours = opensslTransport({ ca: authority.pem });
const native = nodeTlsTransport({ ca: authority.pem });
const software = await authority.client(
  await webcryptoKeys().create("bench", { algorithm: "RSA-2048" }),
);
try {
  await inSoftHsm();
  await inTpm();
} finally {
  await ours.close();
  await native.close();
  await servers.close();
}
report.finish();

async function inSoftHsm(): Promise<void> {
  const token = await softHsm();
  const keys = token && keysIn(token);
  const standIn = synchronousKey("RSA-2048");
  const key = await keys?.create("bench") ?? standIn;
  const signatures = () => keys?.signatures ?? standIn.signed.length;
  const signature = median(
    await times(100, () => Promise.resolve(key.signSync(key.schemes[0]!, new Uint8Array(130)))),
  );
  const credential = await authority.client(key);
  /** Connections that were to resume a session and didn't: the first of each version can't. */
  let fullInstead = 0;

  for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
    const [mine, theirs, resumed] = await interleaved(ROUNDS, WARM_UP, [
      () => request(ours, credential, version, { connection: "fresh" }),
      () => request(native, software, version, { connection: "fresh" }),
      // On a new connection: the server ends the one before.
      async () => {
        const before = signatures();
        await request(ours, credential, version, {}, "/closing");
        if (signatures() > before) fullInstead++;
      },
    ]);
    // A key in PEM signs too; the token's signature may come on top.
    tell(`full handshake ${version}`, mine!, theirs!, 1.5 + signature / theirs!);
    tell(`resumed handshake ${version}`, resumed!, theirs!, 1);
  }
  const [mine, theirs] = await interleaved(BULK_ROUNDS, 1, [
    () => request(ours, credential, "TLSv1.3", {}, `/stream/${BULK}`),
    () => request(native, software, "TLSv1.3", {}, `/stream/${BULK}`),
  ]);
  tell("25 MB body TLSv1.3", mine!, theirs!, 2);
  const place = token === undefined ? "in this process" : "in SoftHSM";
  report.note(`one signature of the key ${place}: ${signature.toFixed(2)} ms`);
  await keys?.close();
  await token?.destroy();
  if (fullInstead > 2) throw new Error(`${fullInstead} sessions were not resumed.`);
}

async function inTpm(): Promise<void> {
  const token = await softwareTpm();
  if (token === undefined) return report.note("A TPM 2 in software isn't installed.");
  const keys = keysIn(token);
  const credential = await authority.client(await keys.create("bench"));
  for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
    const [mine, theirs] = await interleaved(ROUNDS, WARM_UP, [
      () => request(ours, credential, version, { connection: "fresh" }),
      () => request(native, software, version, { connection: "fresh" }),
    ]);
    tell(`full handshake ${version}, TPM 2 in software`, mine!, theirs!);
  }
  await keys.close();
  await token.destroy();
}

function keysIn({ library, label, pin }: Token): Pkcs11KeyProvider {
  return pkcs11Keys({ module: library, uri: `pkcs11:token=${label}`, pin: () => pin });
}

async function request(
  transport: MtlsTransport,
  credential: ClientCredential,
  version: TlsVersion,
  options: MtlsFetchOptions,
  path = "/report",
): Promise<void> {
  const response = await transport.fetch(
    new Request(servers.url(version, path)),
    credential,
    options,
  );
  for await (const _chunk of response.body!);
}

function tell(bench: string, ours: number, peer: number, atMost?: number): void {
  const target = atMost === undefined ? {} : { target: { atMost: Number(atMost.toFixed(2)) } };
  report.tell({ bench, ours, peer, peerName: PEER, unit: "ms", ...target });
}
