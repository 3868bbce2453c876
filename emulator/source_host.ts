/**
 * What stands behind the managed identity sources of one emulator: their secrets, Arc's challenges,
 * Service Fabric's certificate.
 *
 * @module
 */

import { randomBytes, X509Certificate } from "node:crypto";
import { ArcChallenges, type ChallengeDirectories } from "./arc_challenges.ts";
import { issueSelfSigned, type ServerIdentity } from "./authority.ts";
import type { Peers } from "./peers.ts";
import type { SecretSource } from "./source_environments.ts";

/** Secrets, challenges and certificate, as long as the emulator lives. */
export interface SourceHost {
  readonly secrets: Readonly<Record<SecretSource, string>>;
  readonly challenges: ArcChallenges;
  /** What Service Fabric shows; no CA stands behind it. */
  readonly serviceFabric: ServerIdentity;
  /** SHA-1 of that certificate, upper-case hex. */
  readonly serviceFabricThumbprint: string;
}

/** A host with new secrets. `now`: milliseconds since the Unix epoch, by the host's clock. */
export async function createSourceHost(
  x509: Peers["x509"],
  now: number,
  directories: ChallengeDirectories,
): Promise<SourceHost> {
  const secret = () => randomBytes(32).toString("base64url");
  const serviceFabric = await issueSelfSigned(x509, now);
  return {
    secrets: { appservice: secret(), machinelearning: secret(), servicefabric: secret() },
    challenges: await ArcChallenges.create(directories),
    serviceFabric,
    serviceFabricThumbprint: new X509Certificate(serviceFabric.cert).fingerprint
      .replaceAll(":", ""),
  };
}
