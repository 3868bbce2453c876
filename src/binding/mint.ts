/**
 * A new certificate: key, metadata, CSR, attestation, `issuecredential` (protocol.md section 1).
 *
 * @module
 */

import { attestationToken, type Attestor } from "../attestation.ts";
import { ClientCredential } from "../credential.ts";
import { KeyboundError } from "../errors.ts";
import { issueCredential, type IssuedCredential } from "../imds/credential.ts";
import { getPlatformMetadata, type PlatformMetadata } from "../imds/metadata.ts";
import type { AcquisitionContext } from "../imds/request.ts";
import type { SigningKey } from "../keys.ts";
import { isInForce } from "../policy/renewal.ts";
import { createCertificateRequest } from "../x509/csr.ts";
import type { Binding } from "./binding.ts";
import type { FlightContext, MintDependencies } from "./context.ts";
import { signingInTime } from "./probe.ts";

/**
 * A certificate for the key that `obtainKey` gives, which is called at once, beside the first
 * request.
 *
 * Rejects as `getPlatformMetadata`, `issueCredential` and `attestationToken` do, with
 * `invalid_certificate` for a certificate that doesn't parse, isn't over this key or isn't in
 * force, and with whatever `obtainKey` rejects with.
 */
export async function mintBinding(
  dependencies: MintDependencies,
  obtainKey: () => Promise<SigningKey>,
  context: FlightContext,
): Promise<Binding> {
  const { identity, attestor, clock, crypto } = dependencies;
  const both = new AbortController();
  const signal = AbortSignal.any([both.signal, context.signal]);
  const [key, metadata] = await Promise.all([
    obtainKey(),
    getPlatformMetadata(dependencies, identity, { ...context, signal }),
  ]).finally(() => both.abort());
  const sign = (signal: AbortSignal) => createCertificateRequest({ ...metadata, key, signal });
  const csr = await signingInTime(sign, key, clock, context.signal);
  const attestation = await attestationFor(attestor, key, metadata, context);
  const request = { csr, attestationToken: attestation };
  const issued = await issueCredential(dependencies, identity, request, context);
  const credential = await checkedCredential(issued, key, clock.now(), crypto, context);
  const { endpoint, clientId } = issued;
  return Object.freeze({ credential, endpoint, clientId, attested: attestor !== undefined });
}

/** The wire's three cases (protocol.md section 1.6): a JWT, nothing, or the statement of nothing. */
async function attestationFor(
  attestor: Attestor | undefined,
  key: SigningKey,
  { attestationEndpoint, clientId }: PlatformMetadata,
  { signal }: AcquisitionContext,
): Promise<string | undefined> {
  if (attestor === undefined) return key.strength === "keyguard" ? undefined : "";
  return await attestationToken(attestor, { endpoint: attestationEndpoint, key, clientId, signal });
}

async function checkedCredential(
  { certificate }: IssuedCredential,
  key: SigningKey,
  now: number,
  crypto: Crypto,
  { correlationId }: AcquisitionContext,
): Promise<ClientCredential> {
  let cause: unknown;
  try {
    const credential = await ClientCredential.create([certificate], key, crypto);
    if (isInForce(credential.leaf, now)) return credential;
  } catch (error) {
    cause = error;
  }
  throw new KeyboundError(
    "invalid_certificate",
    `[Imds] issuecredential: the certificate ${
      cause === undefined ? "is not in force. Check this host's clock" : "is not one for its key"
    }.`,
    { cause, correlationId, source: "Imds" },
  );
}
