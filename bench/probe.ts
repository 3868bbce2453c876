/**
 * The proof that a key works, a signature and its verification, by backend; against a bare signature
 * of WebCrypto over the same number of bits. Backends that aren't installed are left out.
 *
 * @module
 */

import { type Pkcs11KeyProvider, pkcs11Keys } from "../backends/pkcs11/mod.ts";
import { webcryptoKeys } from "../backends/webcrypto/mod.ts";
import { isAlive } from "../src/binding/probe.ts";
import { systemClock } from "../src/clock.ts";
import type { KeyAlgorithm, SigningKey } from "../src/keys.ts";
import type { Token } from "../scripts/lib/tokens.mjs";
import { softHsm } from "../tests/support/softhsm.ts";
import { softwareTpm } from "../tests/support/swtpm.ts";
import { interleaved } from "./support/measure.ts";
import { Report } from "./support/report.ts";

const ROUNDS = 40;
const WARM_UP = 5;

const report = new Report();
const setting = { crypto, clock: systemClock() };
const context = { correlationId: crypto.randomUUID(), emit: () => {} };

for (const algorithm of ["RSA-2048", "P-256"] as const) {
  await compare("webcrypto", await webcryptoKeys().create("bench", { algorithm }), algorithm);
}
await inToken("SoftHSM", await softHsm());
await inToken("TPM 2 in software", await softwareTpm());
report.finish();

async function inToken(backend: string, token: Token | undefined): Promise<void> {
  if (token === undefined) return report.note(`${backend} isn't installed`);
  const keys: Pkcs11KeyProvider = pkcs11Keys({
    module: token.library,
    uri: `pkcs11:token=${token.label}`,
    pin: () => token.pin,
  });
  try {
    for (const algorithm of ["RSA-2048", "P-256"] as const) {
      const key = await keys.create(`bench-${algorithm}`, { algorithm });
      await compare(backend, key, algorithm);
    }
  } finally {
    await keys.close();
    await token.destroy();
  }
}

async function compare(backend: string, key: SigningKey, algorithm: KeyAlgorithm): Promise<void> {
  const sign = await bareSignature(algorithm);
  const [probe, bare] = await interleaved(ROUNDS, WARM_UP, [
    () => isAlive(key, "stale", setting, context),
    sign,
  ]);
  const peerName = "a signature of WebCrypto";
  report.tell({
    bench: `probe, ${backend}, ${algorithm}`,
    ours: probe!,
    peer: bare!,
    peerName,
    unit: "ms",
  });
}

async function bareSignature(algorithm: KeyAlgorithm): Promise<() => Promise<unknown>> {
  const data = new Uint8Array(32);
  if (algorithm === "P-256") {
    const ecdsa = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
    const { privateKey } = await crypto.subtle.generateKey(ecdsa, false, ["sign"]);
    return () => crypto.subtle.sign(ecdsa, privateKey, data);
  }
  const rsa = { name: "RSA-PSS", hash: "SHA-256", saltLength: 32 };
  const [modulusLength, publicExponent] = [2048, Uint8Array.of(1, 0, 1)];
  const { privateKey } = await crypto.subtle.generateKey(
    { ...rsa, modulusLength, publicExponent },
    false,
    ["sign"],
  );
  return () => crypto.subtle.sign(rsa, privateKey, data);
}
