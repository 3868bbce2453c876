/**
 * No token, attestation or key in any output, event or error: the flows are run with known secrets
 * and everything that comes out is searched for them.
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { inspect } from "node:util";
import { webcryptoKeys } from "../../backends/webcrypto/mod.ts";
import { isPemExportable } from "../../src/keys.ts";
import {
  claimingStrength,
  fakeAzure,
  fakeJwt,
  type Script,
  status,
  VAULT,
  wire,
} from "../support/fake_azure.ts";
import { settling } from "../support/waiting.ts";

const ATTESTATION = fakeJwt({ exp: 4_000_000_000, secret: "attestation-of-the-key" });
const TOKEN_MARK = "the-token-itself-0123456789abcdef";

/** A token response whose token can be recognized. */
const marked: Script = (sent) =>
  Response.json({
    token_type: "mtls_pop",
    expires_in: 86_400,
    access_token: fakeJwt({
      aud: VAULT,
      cnf: { "x5t#S256": sent.thumbprint },
      secret: TOKEN_MARK,
    }),
  });

/** A refusal that repeats what it was sent, and a token besides. */
const echoing = (code: number): Script => async (sent, regular) => {
  const token = (await (await marked(sent, regular)).json()).access_token;
  return Response.json({
    error: "invalid_request",
    error_description: `AADSTS1: you sent ${sent.body} for ${token} and ${ATTESTATION}`,
    message: `${token}`,
    [token]: token,
  }, { status: code });
};

describe("secrets", () => {
  it("are in no event, error or output, whatever goes wrong", async () => {
    const inner = webcryptoKeys();
    const azure = await fakeAzure({ keys: claimingStrength(inner, "keyguard") });
    const identity = azure.identity({
      attestor: { name: "test", attest: () => Promise.resolve(ATTESTATION) },
    });
    const errors: unknown[] = [];
    const output: string[] = [];
    const restore = captureConsole(output);
    const asked = async (options: Partial<Parameters<typeof identity.getToken>[0]> = {}) => {
      const request = { resource: VAULT, attest: true, forceRefresh: true, ...options };
      await settling(azure, identity.getToken(request)).catch((error) => errors.push(error));
    };
    try {
      azure.always("token", marked);
      await asked();
      const { accessToken } = await identity.getToken({ resource: VAULT, attest: true });
      for (const endpoint of ["getplatformmetadata", "issuecredential", "token"] as const) {
        for (const script of [echoing(400), echoing(500), status(401, { error: accessToken })]) {
          azure.always(endpoint, script);
          if (endpoint !== "token") azure.script("token", wire({ alert: 42 }));
          await azure.clock.advance(61_000);
          await asked();
        }
        azure.always(endpoint, endpoint === "token" ? marked : undefined);
      }
      azure.script("token", (sent) => Response.json({ ...sent, access_token: accessToken }));
      await asked();
      azure.script("token", () => new Response(accessToken, { status: 418 }));
      await asked();
      azure.script("token", wire({}), wire({}));
      await asked();
      azure.always("resource", wire({ alert: 48 }));
      const options = { resource: VAULT, attest: true };
      await identity.fetch("https://v.vault.azure.net/", options).catch((e) => errors.push(e));
      const key = (await inner.open("keybound"))!;
      assert.ok(isPemExportable(key));
      const secrets = [accessToken, TOKEN_MARK, ATTESTATION, await key.exportPem()];
      assert.ok(errors.length >= 10, `${errors.length} errors are enough to look at`);
      assert.ok(azure.events.length >= 25, `${azure.events.length} events are enough to look at`);
      const everything = [...errors.map(whole), ...azure.events.map(whole), ...output].join("\n");
      for (const secret of secrets) {
        for (const part of parts(secret)) {
          assert.equal(everything.includes(part), false, `${part.slice(0, 8)}… was found`);
        }
      }
    } finally {
      restore();
    }
    assert.deepEqual(output, [], "nothing is written at all");
  });
});

/** Everything that can be seen of a value, hidden properties, causes and stacks included. */
function whole(value: unknown): string {
  return inspect(value, { depth: 20, showHidden: true, maxStringLength: null }) +
    JSON.stringify(value);
}

/** Pieces of a secret, each long enough to be told from chance. */
function parts(secret: string): string[] {
  const lines = secret.split(/[\n.]/).filter((line) => line.length > 20 && !/^-/.test(line));
  return lines.flatMap((line) => [line.slice(0, 24), line.slice(-24)]).filter((part) =>
    // The header of a JWT and the start of a PKCS#8 key are no secret.
    !part.startsWith("eyJhbGciOiJSUzI1NiIsInR5") && !part.startsWith("MIGHAgEAMBMGByqGSM49AgEG")
  );
}

function captureConsole(output: string[]): () => void {
  const names = ["log", "info", "warn", "error", "debug"] as const;
  const originals = names.map((name) => console[name]);
  for (const name of names) console[name] = (...args: unknown[]) => void output.push(inspect(args));
  return () => names.forEach((name, i) => console[name] = originals[i]!);
}
