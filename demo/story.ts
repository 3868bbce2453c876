/**
 * The main job from end to end on whatever runtime runs this file, against a running emulator:
 * a bound token, its use, its theft, and four ways in which a binding breaks and heals.
 *
 * Reads `{"admin":{"url","secret"},"arcDirectory"}` from standard input, the emulator's admin
 * endpoint and where it puts Azure Arc's challenges, for a key that isn't in software also `"token"`,
 * and writes one JSON object a line: `{"step",...}` as things happen, at last `{"result":{...}}`.
 *
 * @module
 */

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { detect, type DetectedHost, type DetectOptions } from "../backends/detect.ts";
import type { Pkcs11KeyProvider } from "../backends/pkcs11/mod.ts";
import { webcryptoKeys } from "../backends/webcrypto/mod.ts";
import { connectEmulator, type Counts, type Emulator, invalidClient } from "../emulator/mod.ts";
import {
  ClientCredential,
  type Clock,
  isPemExportable,
  type KeyStrength,
  type ManagedIdentity,
  managedIdentity,
  systemClock,
  type TokenResult,
} from "../mod.ts";
import { askEverySource, type SourceRow } from "./sources.ts";
import { base64, fromBase64, fromBase64url, fromUtf8 } from "../src/encoding.ts";

const RESOURCE = "https://vault.azure.net";
const HITS = 100_000;

/** What was counted and seen; the lines of `npm run demo -- --json`. */
interface Result {
  runtime: string;
  tokenType: string;
  cnfMatchesCertificate: boolean;
  resourceStatus: number;
  stolenTokenStatus: number;
  cold: Requests & { ms: number };
  warm: { requests: number; microseconds: number };
  certificateCached: Requests;
  healed: Record<"deadKey" | "rejectedCertificate" | "handshakeReset" | "invalidClient", Healed>;
  sources: SourceRow[];
  /** Where the key was, if that isn't in software. */
  backend?: string;
  /** What answered instead of the real thing, if something did. */
  tier?: string;
  keyStrength?: KeyStrength;
  exportable?: boolean;
  /** Signatures made with it, as its provider counts. */
  signatures?: number;
}

type Requests = Pick<Counts, "getplatformmetadata" | "issuecredential" | "token">;

interface Healed {
  ok: boolean;
  mints: number;
  tokenRequests: number;
}

/** A token of PKCS#11 that the key is in, or Windows; and what that backend is called. */
type KeyPlace =
  | {
    readonly backend: "softhsm" | "tpm";
    readonly library: string;
    readonly label: string;
    readonly pin: string;
  }
  | { readonly backend: "wine"; readonly tier: string };

const { admin, arcDirectory, token } = JSON.parse(await readStandardInput());
const emulator = await connectEmulator(admin);
const directory = await mkdtemp(join(tmpdir(), "keybound-demo-"));
try {
  await emulator.reset();
  // Wine's SChannel speaks TLS 1.3 wherever the server does, and the token endpoint's pin is 1.2.
  if (token?.backend === "wine") await emulator.set({ maxTlsVersion: "TLSv1.2" });
  say({ result: await tell(emulator, directory, token) });
} finally {
  await rm(directory, { recursive: true, force: true });
}

async function tell(
  emulator: Emulator,
  directory: string,
  token: KeyPlace | undefined,
): Promise<Result> {
  const host = await detect({
    ...placeOptions(token, join(directory, "keybound")),
    ca: emulator.ca,
    environment: { AZURE_POD_IDENTITY_AUTHORITY_HOST: emulator.metadata },
  });
  // Windows keeps it from one run to the next; the certificate over it is worth nothing then.
  await host.keys.remove("keybound");
  // A minute must pass between two re-mints that came over the wire; here it is moved.
  let moved = 0;
  const system = systemClock();
  const clock: Clock = { now: () => system.now() + moved, sleep: system.sleep };
  const start = (): ManagedIdentity => managedIdentity({ ...host, clock });

  const identity = start();
  const [first, cold, ms] = await timed(() => identity.getToken({ resource: RESOURCE }));
  say({ step: "cold", ms, ...cold, expiresOn: first.expiresOn, thumbprint: thumbprintOf(first) });

  const resourceStatus = await use(emulator, identity);
  const cnfMatchesCertificate = confirmation(first) === thumbprintOf(first);
  say({ step: "use", status: resourceStatus, cnfMatchesCertificate });

  const stolenTokenStatus = await steal(emulator, host, first);
  say({ step: "stolen", status: stolenTokenStatus });

  const [, warmRequests, warmMs] = await timed(async () => {
    for (let i = 0; i < HITS; i++) await identity.getToken({ resource: RESOURCE });
  });
  const warm = {
    requests: warmRequests.getplatformmetadata + warmRequests.issuecredential + warmRequests.token,
    microseconds: round(warmMs * 1000 / HITS),
  };
  say({ step: "warm", hits: HITS, ...warm });

  const [, certificateCached, refreshMs] = await timed(() =>
    identity.getToken({ resource: RESOURCE, forceRefresh: true })
  );
  say({ step: "certificateCached", ms: refreshMs, ...certificateCached });

  const heal = async (name: keyof Result["healed"], healing: ManagedIdentity): Promise<Healed> => {
    const [token, counts, took] = await timed(() =>
      healing.getToken({ resource: RESOURCE, forceRefresh: true })
    );
    const ok = await use(emulator, healing) === 200 && confirmation(token) === thumbprintOf(token);
    const healed = { ok, mints: counts.issuecredential, tokenRequests: counts.token };
    say({ step: name, ms: took, thumbprint: thumbprintOf(token), ...healed });
    moved += 61_000;
    return healed;
  };

  await host.keys.remove("keybound");
  const restarted = start();
  const deadKey = await heal("deadKey", restarted);
  await emulator.fault("token", {
    kind: "alert",
    alert: "bad_certificate",
    version: "TLSv1.2",
  });
  const rejectedCertificate = await heal("rejectedCertificate", restarted);
  await emulator.fault("token", {
    kind: "close",
    at: "second_flight",
    how: "reset",
    version: "TLSv1.2",
  });
  const handshakeReset = await heal("handshakeReset", restarted);
  await emulator.script("token", invalidClient());
  const invalidClientHealed = await heal("invalidClient", restarted);
  const sources = await askEverySource(emulator, RESOURCE, arcDirectory);
  say({ step: "sources", rows: sources });

  const facts = token === undefined ? undefined : await factsOf(token, host);
  await identity.close();
  await restarted.close();
  await host.close();
  return {
    ...facts,
    runtime: runtimeName(),
    tokenType: first.tokenType,
    cnfMatchesCertificate,
    resourceStatus,
    stolenTokenStatus,
    cold: { ...cold, ms },
    warm,
    certificateCached,
    healed: { deadKey, rejectedCertificate, handshakeReset, invalidClient: invalidClientHealed },
    sources,
  };

  /** What `work` gave, what the emulator counted meanwhile, and how long it took in ms. */
  async function timed<T>(work: () => Promise<T>): Promise<[T, Requests, number]> {
    const before = await emulator.counts();
    const begin = performance.now();
    const value = await work();
    const took = round(performance.now() - begin);
    const after = await emulator.counts();
    return [value, {
      getplatformmetadata: after.getplatformmetadata - before.getplatformmetadata,
      issuecredential: after.issuecredential - before.issuecredential,
      token: after.token - before.token,
    }, took];
  }
}

/** The three lines of the README. */
async function use(emulator: Emulator, identity: ManagedIdentity): Promise<number> {
  const response = await identity.fetch(`${emulator.resource}/secrets/demo`, {
    resource: RESOURCE,
  });
  await response.arrayBuffer();
  return response.status;
}

/** Where keys and certificates are. */
function placeOptions(place: KeyPlace | undefined, directory: string): DetectOptions {
  if (place === undefined) return { directory };
  if (place.backend === "wine") return { windows: true };
  const { library, label, pin } = place;
  return { directory, pkcs11: { module: library, uri: `pkcs11:token=${label}`, pin: () => pin } };
}

/** What the demo tells of a key that isn't in software. */
async function factsOf(
  place: KeyPlace,
  { keys }: DetectedHost,
): Promise<Pick<Result, "backend" | "tier" | "keyStrength" | "exportable" | "signatures">> {
  const key = await keys.open("keybound");
  if (key === undefined) throw new Error("The key is gone.");
  return {
    backend: place.backend,
    ...(place.backend === "wine"
      ? { tier: place.tier }
      : { signatures: (keys as Pkcs11KeyProvider).signatures }),
    keyStrength: key.strength,
    exportable: isPemExportable(key),
  };
}

/** A thief has the token, and a certificate of his own that the server trusts as well. */
async function steal(emulator: Emulator, host: DetectedHost, token: TokenResult): Promise<number> {
  const key = await webcryptoKeys().create("thief");
  const { clientId } = token.binding;
  const { certificate } = await emulator.issue({ spki: base64(key.spki), clientId });
  const credential = await ClientCredential.create([fromBase64(certificate)], key);
  const request = new Request(`${emulator.resource}/secrets/demo`, {
    headers: { Authorization: `mtls_pop ${token.accessToken}` },
  });
  const transport = host.transports.find((candidate) => candidate.accepts(key))!;
  const response = await transport.fetch(request, credential);
  await response.arrayBuffer();
  return response.status;
}

function thumbprintOf({ binding }: TokenResult): string {
  return binding.credential.thumbprint;
}

/** `cnf["x5t#S256"]` of the token (RFC 8705 section 3.1). */
function confirmation({ accessToken }: TokenResult): string {
  const claims = JSON.parse(fromUtf8(fromBase64url(accessToken.split(".")[1]!)));
  return claims.cnf["x5t#S256"];
}

function runtimeName(): string {
  if ("Deno" in globalThis) return "deno";
  return process.versions.bun === undefined ? "node" : "bun";
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}

function say(line: unknown): void {
  console.log(JSON.stringify(line));
}

async function readStandardInput(): Promise<string> {
  let text = "";
  for await (const chunk of process.stdin) text += chunk;
  return text;
}
