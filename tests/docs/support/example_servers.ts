/**
 * The servers of the documentation's examples that the emulator doesn't play: an authorization server
 * at `as.example.com` and the APIs of `example.com`, as functions.
 *
 * @module
 */

import { fakeJwt } from "../../support/fake_azure.ts";

const ISSUER = "https://as.example.com";

/** The answer of one of them; `undefined` for a request to somebody else. */
export async function exampleAnswer(
  request: Request,
  thumbprint: string,
): Promise<Response | undefined> {
  const { origin, pathname, hostname } = new URL(request.url);
  if (!hostname.endsWith(".example.com")) return undefined;
  if (origin !== ISSUER) {
    const isKnown = /^(?:Bearer|mtls_pop) \S+$/.test(request.headers.get("authorization") ?? "");
    return Response.json({ thumbprint }, { status: isKnown ? 200 : 401 });
  }
  if (pathname.startsWith("/.well-known/")) {
    return Response.json({ issuer: ISSUER, token_endpoint: `${ISSUER}/token` });
  }
  const form = new URLSearchParams(await request.text());
  if (form.get("grant_type") !== "client_credentials") {
    return Response.json({ error: "unsupported_grant_type" }, { status: 400 });
  }
  const claims = { aud: form.getAll("resource"), cnf: { "x5t#S256": thumbprint } };
  return Response.json({
    token_type: "Bearer",
    expires_in: 3600,
    access_token: fakeJwt(claims),
  });
}
