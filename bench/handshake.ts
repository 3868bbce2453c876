/**
 * TLS with a key in SoftHSM (without one: a key of node:crypto that is never exported), through the
 * OpenSSL engine, against the runtime's own TLS with a key in PEM: handshakes in full, handshakes
 * that resume a session, and 25 MB of data. Interleaved in one run, medians. Ends with an error where
 * a target is missed.
 *
 * @module
 */

import process from "node:process";
import { nodeTlsTransport } from "../backends/node_tls/mod.ts";
import { opensslTransport } from "../backends/openssl/mod.ts";
import { pkcs11Keys } from "../backends/pkcs11/mod.ts";
import { webcryptoKeys } from "../backends/webcrypto/mod.ts";
import type { ClientCredential } from "../src/credential.ts";
import type { MtlsFetchOptions, MtlsTransport, TlsVersion } from "../src/transports.ts";
import { softHsm } from "../tests/support/softhsm.ts";
import { synchronousKey } from "../tests/support/synchronous_keys.ts";
import { tlsAuthority } from "../tests/support/tls_identities.ts";
import { startTlsServers } from "../tests/support/tls_servers.ts";
import { interleaved, median, times } from "./support/measure.ts";
import { runtime } from "./support/report.ts";

const ROUNDS = 200;
const WARM_UP = 20;
const BULK_ROUNDS = 7;
const BULK = 25_000_000;

const asJson = process.argv.includes("--json");

const authority = await tlsAuthority("Handshake Benchmark");
const https = { kind: "https", ...await authority.server(), clientCa: authority.pem } as const;
const servers = await startTlsServers({
  "TLSv1.2": { ...https, maxVersion: "TLSv1.2" },
  "TLSv1.3": { ...https, minVersion: "TLSv1.3" },
});
const token = await softHsm();
const keys = token && pkcs11Keys({
  module: token.library,
  uri: `pkcs11:token=${token.label}`,
  pin: () => token.pin,
});
const standIn = synchronousKey("RSA-2048");
const key = await keys?.create("bench") ?? standIn;
const signatures = () => keys?.signatures ?? standIn.signed.length;
const ours = opensslTransport({ ca: authority.pem });
const native = nodeTlsTransport({ ca: authority.pem });
const hardware = await authority.client(key);
const software = await authority.client(
  await webcryptoKeys().create("bench", { algorithm: "RSA-2048" }),
);

let missed = false;
/** Connections that were to resume a session and didn't: the first of each version can't. */
let fullInstead = 0;
const signature = median(
  await times(100, () => Promise.resolve(key.signSync(key.schemes[0]!, new Uint8Array(130)))),
);

for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
  const full = { connection: "fresh" } as const;
  const [mine, theirs, resumed] = await interleaved(ROUNDS, WARM_UP, [
    () => request(ours, hardware, version, full),
    () => request(native, software, version, full),
    () => resume(version),
  ]);
  // A key in PEM signs too; the token's signature may come on top.
  tell(
    `full handshake ${version}`,
    mine!,
    theirs!,
    "ms",
    1.5,
    (1.5 * theirs! + signature) / theirs!,
  );
  tell(`resumed handshake ${version}`, resumed!, theirs!, "ms", 1);
}
const [mine, theirs] = await interleaved(BULK_ROUNDS, 1, [
  () => request(ours, hardware, "TLSv1.3", {}, `/stream/${BULK}`),
  () => request(native, software, "TLSv1.3", {}, `/stream/${BULK}`),
]);
tell("25 MB body TLSv1.3", mine!, theirs!, "ms", 2);
const place = token === undefined ? "in this process" : "in SoftHSM";
if (!asJson) console.log(`one signature of the key ${place}: ${signature.toFixed(2)} ms`);

if (fullInstead > 2) throw new Error(`${fullInstead} sessions were not resumed.`);

await ours.close();
await native.close();
await servers.close();
await keys?.close();
await token?.destroy();
process.exitCode = missed ? 1 : 0;

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

/** A pooled request on a new connection: the server ends the one before. */
async function resume(version: TlsVersion): Promise<void> {
  const before = signatures();
  await request(ours, hardware, version, {}, "/closing");
  if (signatures() > before) fullInstead++;
}

function tell(
  bench: string,
  ours: number,
  peer: number,
  unit: string,
  target: number,
  limit: number = target,
): void {
  const ratio = ours / peer;
  missed ||= ratio > limit;
  if (asJson) {
    const peerName = "native TLS with a PEM key";
    const rounded = [ours, peer, ratio].map((value) => Number(value.toFixed(3)));
    console.log(JSON.stringify({
      bench: bench.toLowerCase().replaceAll(" ", "-"),
      runtime,
      ours: rounded[0],
      peer: rounded[1],
      peerName,
      unit,
      ratio: rounded[2],
      target,
    }));
    return;
  }
  const figures = [ours, peer].map((value) => `${value.toFixed(2)} ${unit}`.padStart(11));
  console.log(
    `${bench.padEnd(26)} ${figures.join(" native")}  ratio ${ratio.toFixed(2)} (target ${target})`,
  );
}
