/**
 * Who is asking for a token: by certificate alone, by a bound assertion (jwt-pop), or by an
 * assertion that the client signed (jwt-bearer with `x5c`) or another token endpoint issued
 * (protocol.md sections 1.7, 8.1).
 *
 * @module
 */

import { X509Certificate } from "node:crypto";
import { badClient, badRequest, type Refusal } from "./aadsts.ts";
import type { Core } from "./core.ts";
import { describePeer, type Peer } from "./peer.ts";
import type { Principal } from "./state.ts";

/** What of a token request says who is asking. */
export interface ClientClaim {
  readonly clientId: string;
  readonly tenantId: string;
  /** URL of the token endpoint: the audience of a self-signed assertion. */
  readonly tokenEndpoint: string;
  readonly assertion: string | null;
  readonly assertionType: string | null;
  readonly peer: Peer | undefined;
}

/** The client, or why it isn't one. */
export type Authentication = { readonly client: Principal } | { readonly refusal: Refusal };

const JWT_POP = "urn:ietf:params:oauth:client-assertion-type:jwt-pop";
const JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const EXCHANGE_AUDIENCE = "api://AzureADTokenExchange";

/** Authenticates the client of a token request. */
export async function authenticate(core: Core, claim: ClientClaim): Promise<Authentication> {
  const { peer, assertion, assertionType } = claim;
  if (peer !== undefined) {
    const refusal = refuseCertificate(core, peer);
    if (refusal !== undefined) return { refusal };
  }
  const { identities, applications } = core.surroundings;
  const client = [...identities, ...applications].find((principal) =>
    principal.clientId === claim.clientId && principal.tenantId === claim.tenantId
  );
  if (client === undefined) {
    return {
      refusal: {
        status: 400,
        error: "unauthorized_client",
        code: 700016,
        text: "Application with this identifier was not found in the directory.",
      },
    };
  }
  if (assertion === null && assertionType === null) {
    const refusal = refuseHolder(peer, claim);
    return refusal === undefined ? { client } : { refusal };
  }
  if (client.kind !== "application" || assertion === null) {
    return { refusal: badRequest(900144, "The client assertion is not acceptable here.") };
  }
  const refusal = await refuseAssertion(core, claim, assertion);
  return refusal === undefined ? { client } : { refusal };
}

function refuseCertificate(core: Core, peer: Peer): Refusal | undefined {
  const verdict = core.authority.judge(peer.certificate, core.now());
  if (verdict !== "trusted") {
    return badClient(700027, `The client certificate is ${verdict.replaceAll("_", " ")}.`);
  }
  return core.isRevoked(peer)
    ? badClient(1000610, "The client certificate has been revoked.")
    : undefined;
}

function refuseHolder(peer: Peer | undefined, claim: ClientClaim): Refusal | undefined {
  if (peer === undefined) {
    return badRequest(392200, "A client certificate is required on the TLS connection.");
  }
  return peer.commonName === claim.clientId && peer.domainComponent === claim.tenantId
    ? undefined
    : badClient(700030, "The client certificate was not issued to this client in this tenant.");
}

async function refuseAssertion(
  core: Core,
  claim: ClientClaim,
  assertion: string,
): Promise<Refusal | undefined> {
  if (claim.assertionType === JWT_POP) {
    if (claim.peer === undefined) {
      return badRequest(392200, "A client certificate is required on the TLS connection.");
    }
    return await refuseFederated(core, assertion, claim.peer);
  }
  if (claim.assertionType !== JWT_BEARER) {
    return badRequest(900144, "The client assertion type is not supported.");
  }
  return hasX5c(core, assertion)
    ? await refuseSelfSigned(core, claim, assertion)
    : await refuseFederated(core, assertion, undefined);
}

/** A token of this endpoint as assertion; its binding must be the connection's own. */
async function refuseFederated(
  core: Core,
  assertion: string,
  peer: Peer | undefined,
): Promise<Refusal | undefined> {
  try {
    const { aud, cnf } = await core.tokens.verify(assertion, core.now());
    if (aud !== EXCHANGE_AUDIENCE) {
      return badClient(700212, `The assertion's audience is not ${EXCHANGE_AUDIENCE}.`);
    }
    const bound = (cnf as { "x5t#S256"?: string } | undefined)?.["x5t#S256"];
    return bound === peer?.thumbprint ? undefined : badRequest(
      500181,
      "The TLS certificate provided does not match the certificate in the assertion.",
    );
  } catch {
    return badClient(700027, "The client assertion is not valid.");
  }
}

/** An assertion signed with the key of the certificate in its own `x5c` header. */
async function refuseSelfSigned(
  core: Core,
  claim: ClientClaim,
  assertion: string,
): Promise<Refusal | undefined> {
  const { jose } = core.peers;
  try {
    const { x5c, "x5t#S256": digest } = jose.decodeProtectedHeader(assertion);
    const first = typeof x5c === "string" ? x5c as string : x5c?.[0] ?? "";
    const signer = describePeer(new X509Certificate(Buffer.from(first, "base64")));
    const refusal = refuseCertificate(core, signer) ?? refuseHolder(signer, claim);
    if (refusal !== undefined) return refusal;
    if (digest !== undefined && digest !== signer.thumbprint) {
      return badClient(700027, "The client assertion's x5t#S256 is not its certificate's.");
    }
    if (claim.peer !== undefined && claim.peer.thumbprint !== signer.thumbprint) {
      return badRequest(
        500181,
        "The TLS certificate provided does not match the certificate in the assertion.",
      );
    }
    const { payload } = await jose.jwtVerify(assertion, signer.certificate.publicKey, {
      algorithms: ["PS256", "RS256"],
      issuer: claim.clientId,
      subject: claim.clientId,
      audience: claim.tokenEndpoint,
      currentDate: new Date(core.now()),
      requiredClaims: ["exp", "jti", "nbf"],
    });
    return core.assertions.isFirst(`${payload.jti}`, payload.exp! * 1000, core.now())
      ? undefined
      : badClient(700027, "The client assertion has been used before.");
  } catch {
    return badClient(700027, "The client assertion is not valid.");
  }
}

function hasX5c(core: Core, assertion: string): boolean {
  try {
    return core.peers.jose.decodeProtectedHeader(assertion).x5c !== undefined;
  } catch {
    return false;
  }
}
