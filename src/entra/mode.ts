/**
 * How a token request is made: with which credential, over what, for which kind of token
 * (protocol.md section 8.1).
 *
 * @module
 */

import { KeyboundError } from "../errors.ts";
import type { EntraBindingWish } from "./options.ts";

/** What the client has to prove itself with. */
export type ProofKind = "certificate" | "bound_assertion" | "unbound_assertion";

/** What a request proves the client by, besides the certificate of its connection. */
export type AssertionKind = "none" | "self_signed" | "bound" | "unbound";

/** One way of asking for a token. */
export interface Mode {
  /** The letter of protocol.md section 8.1; none for a signed assertion at the login host. */
  readonly name: "A" | "B" | "C" | "D" | "E" | "x5c";
  /** Whether the certificate is presented in the TLS handshake, at the mTLS host. */
  readonly overMtls: boolean;
  /** The assertion in the body. */
  readonly assertion: AssertionKind;
  /** What the token's type must be. */
  readonly tokenType: "mtls_pop" | "Bearer";
}

const MODES: Readonly<Record<ProofKind, Readonly<Record<EntraBindingWish, Mode | undefined>>>> = {
  certificate: {
    mtls_pop: { name: "A", overMtls: true, assertion: "none", tokenType: "mtls_pop" },
    bearer: { name: "x5c", overMtls: false, assertion: "self_signed", tokenType: "Bearer" },
  },
  bound_assertion: {
    mtls_pop: { name: "B", overMtls: true, assertion: "bound", tokenType: "mtls_pop" },
    bearer: { name: "C", overMtls: true, assertion: "bound", tokenType: "Bearer" },
  },
  unbound_assertion: {
    mtls_pop: undefined,
    bearer: { name: "D", overMtls: false, assertion: "unbound", tokenType: "Bearer" },
  },
};

const CERTIFICATE_OVER_MTLS: Mode = {
  name: "E",
  overMtls: true,
  assertion: "self_signed",
  tokenType: "Bearer",
};

/**
 * The way to ask for a token of this kind with this proof. A bound token is one however bearer
 * tokens are asked for: A wins over E.
 *
 * Throws `mtls_certificate_not_provided` where there is nothing to bind a token to.
 */
export function chooseMode(
  proof: ProofKind,
  wish: EntraBindingWish,
  sendCertificateOverMtls: boolean,
): Mode {
  if (proof === "certificate" && wish === "bearer" && sendCertificateOverMtls) {
    return CERTIFICATE_OVER_MTLS;
  }
  const mode = MODES[proof][wish];
  if (mode !== undefined) return mode;
  throw new KeyboundError(
    "mtls_certificate_not_provided",
    "The assertion came without a certificate to bind the token to. Give both, or ask for 'bearer'.",
  );
}
