/**
 * A secret read by the real client of Azure Key Vault with a bound token, on whatever runtime runs
 * this file, against a running emulator.
 *
 * Reads `{"admin":{"url","secret"}}` from standard input, the emulator's admin endpoint, and writes
 * `{"result":{...}}`.
 *
 * @module
 */

import process from "node:process";
import { SecretClient } from "@azure/keyvault-secrets";
import { detect } from "../backends/detect.ts";
import { connectEmulator, type Emulator, entraHosts } from "../emulator/mod.ts";
import { managedIdentity } from "../mod.ts";
import { httpClient, tokenCredential } from "../plugins/azure/mod.ts";
import { jwtClaims } from "../src/token/access_token.ts";

const RESOURCE = "https://vault.azure.net";

/** What was seen; the lines of `npm run demo -- --flow azure-sdk --json`. */
interface Result {
  /** `node`, `deno` or `bun`. */
  readonly runtime: string;
  /** Whether the secret that was set is the one that was read. */
  readonly secretRead: boolean;
  /** Type of the token that the vault was sent. */
  readonly tokenType: string;
  /** Whether `cnf["x5t#S256"]` of the token is the thumbprint of its certificate. */
  readonly cnfMatchesCertificate: boolean;
  /** Whether every request with a token came with that certificate, and no other carried a token. */
  readonly alwaysWithCertificate: boolean;
  /** Status of the same client without our HTTP client: it has no token to give away. */
  readonly withoutHttpClient: number;
  /** Requests in all: for the certificate, the token, and to the vault. */
  readonly requests: {
    readonly issuecredential: number;
    readonly token: number;
    /** By scheme of the `Authorization` header. */
    readonly vault: Readonly<Record<string, number>>;
  };
}

async function tell(emulator: Emulator): Promise<Result> {
  const environment = { AZURE_POD_IDENTITY_AUTHORITY_HOST: emulator.metadata };
  const host = await detect({ ca: emulator.ca, environment });
  const identity = managedIdentity(host);
  // Plain fetch, but for the emulator's CA; it asks for the vault's challenge.
  const { fetch } = entraHosts(emulator, []);
  const credential = tokenCredential(identity);
  const options = {
    // The emulator's address isn't one of the vault's domain.
    disableChallengeResourceVerification: true,
    retryOptions: { maxRetries: 0 },
  };
  const client = new SecretClient(emulator.resource, credential, {
    ...options,
    httpClient: httpClient(identity, { fetch }),
  });
  const secret = crypto.randomUUID();
  await client.setSecret("demo", secret);
  const { value } = await client.getSecret("demo");
  const { issuecredential, token } = await emulator.counts();

  const { accessToken, tokenType, binding } = await identity.getToken({ resource: RESOURCE });
  const { thumbprint } = binding.credential;
  const { cnf } = jwtClaims(accessToken) as { cnf?: { "x5t#S256"?: unknown } };
  const requests = await emulator.requests("resource");
  const withToken = requests.filter((request) => request.authorizationScheme !== null);
  const vault: Record<string, number> = {};
  for (const { authorizationScheme } of requests) {
    const scheme = authorizationScheme ?? "none";
    vault[scheme] = (vault[scheme] ?? 0) + 1;
  }
  const { token: reference } = (await credential.getToken(RESOURCE))!;
  const stranger = await fetch(`${emulator.resource}/secrets/demo?api-version=7.5`, {
    headers: { Authorization: `Bearer ${reference}` },
  });
  await identity.close();
  await host.close();
  return {
    runtime: runtimeName(),
    secretRead: value === secret,
    tokenType,
    cnfMatchesCertificate: cnf?.["x5t#S256"] === thumbprint,
    alwaysWithCertificate: withToken.every((request) =>
      request.authorizationScheme === "mtls_pop" && request.thumbprint === thumbprint
    ),
    withoutHttpClient: stranger.status,
    requests: { issuecredential, token, vault },
  };
}

function runtimeName(): string {
  if ("Deno" in globalThis) return "deno";
  return process.versions.bun === undefined ? "node" : "bun";
}

async function readStandardInput(): Promise<string> {
  let text = "";
  for await (const chunk of process.stdin) text += chunk;
  return text;
}

const { admin } = JSON.parse(await readStandardInput());
const emulator = await connectEmulator(admin);
await emulator.reset();
console.log(JSON.stringify({ result: await tell(emulator) }));
