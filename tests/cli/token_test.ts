/**
 * `keybound token`, against the emulator.
 *
 * @module
 */

import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, describe, it } from "node:test";
import {
  DEFAULT_IDENTITIES,
  type Emulator,
  invalidClient,
  spawnEmulator,
} from "../../emulator/mod.ts";
import { keybound } from "./support/program.ts";

const ASKED = ["token", "--resource", "https://vault.azure.net"];

/** What a JWT or a private key looks like. */
const SECRET = /eyJ[\w-]+\.|PRIVATE KEY/;

describe("keybound token", () => {
  let emulator: Emulator;
  let directory: string;
  let environment: Record<string, string>;
  before(async () => {
    emulator = await spawnEmulator();
    directory = await mkdtemp(join(tmpdir(), "keybound-cli-token-"));
    await writeFile(join(directory, "ca.pem"), emulator.ca);
    environment = {
      AZURE_POD_IDENTITY_AUTHORITY_HOST: emulator.metadata,
      KEYBOUND_CA: join(directory, "ca.pem"),
    };
  });
  beforeEach(() => emulator.reset());
  after(async () => {
    await emulator.close();
    await rm(directory, { recursive: true, force: true });
  });

  const json = async (...args: string[]) => {
    const outcome = await keybound([...ASKED, "--json", ...args], { environment });
    assert.equal(outcome.code, 0, outcome.complaint);
    return JSON.parse(outcome.output);
  };

  it("ends with 1 where the server isn't trusted", async () => {
    const { AZURE_POD_IDENTITY_AUTHORITY_HOST = "" } = environment;
    const { code, output, complaint } = await keybound(ASKED, {
      environment: { AZURE_POD_IDENTITY_AUTHORITY_HOST },
    });
    assert.equal(code, 1);
    assert.equal(output, "");
    assert.match(complaint, /^keybound: tls_server_untrusted: /);
  });

  it("ends with 1 where the server refuses, and says with what code", async () => {
    await emulator.script("token", invalidClient(), invalidClient());
    const { code, complaint } = await keybound(ASKED, { environment });
    assert.equal(code, 1);
    assert.match(complaint, /^keybound: invalid_client: /);
    assert.ok(!SECRET.test(complaint));
  });

  it("tells of a bound token without showing it", async () => {
    const { output, complaint, code } = await keybound(ASKED, { environment });
    assert.equal(code, 0, complaint);
    assert.match(output, /^type +mtls_pop$/m);
    assert.match(output, /^source +Imds$/m);
    assert.match(output, /^expires +\S+Z \(in 23 h 59 min\)$/m);
    assert.match(output, /^bound to +certificate [\w-]{43} \(x5t#S256\), software key$/m);
    assert.ok(!SECRET.test(output + complaint));
    assert.equal((await emulator.counts()).token, 1);
  });

  it("tells the same as JSON", async () => {
    const facts = await json();
    assert.deepEqual(Object.keys(facts).sort(), [
      "correlationId",
      "expiresIn",
      "expiresOn",
      "refreshOn",
      "source",
      "strength",
      "thumbprint",
      "tokenType",
    ]);
    const [request] = await emulator.requests("token");
    assert.equal(request!.correlationId, facts.correlationId);
    assert.equal(request!.thumbprint, facts.thumbprint);
    assert.ok(facts.expiresIn > 80_000 && facts.expiresIn < 86_400);
  });

  it("shows the token where it is told to", async () => {
    const { accessToken } = await json("--reveal");
    assert.equal(accessToken.split(".").length, 3);
    const { output } = await keybound([...ASKED, "--reveal"], { environment });
    assert.match(output, /^token +eyJ/m);
  });

  it("gets a bearer token, which is bound to nothing", async () => {
    const facts = await json("--binding", "bearer");
    assert.equal(facts.tokenType, "Bearer");
    assert.equal(facts.thumbprint, undefined);
    assert.equal((await emulator.counts()).token, 0);
  });

  it("prefers a bound token, and takes another where the host can't bind", async () => {
    assert.equal((await json("--binding", "preferred")).tokenType, "mtls_pop");
    await emulator.set({ v1Only: true });
    assert.equal((await json("--binding", "preferred")).tokenType, "Bearer");
  });

  it("gets the token of a user-assigned identity", async () => {
    const { clientId } = DEFAULT_IDENTITIES.find(({ kind }) => kind === "user")!;
    await json("--client-id", clientId);
    const [request] = await emulator.requests("token");
    assert.equal(request!.fields["client_id"], clientId);
  });

  it("demands a strength before any network", async () => {
    const args = [...ASKED, "--min-strength", "hardware"];
    const { code, complaint } = await keybound(args, { environment });
    assert.equal(code, 1);
    assert.match(complaint, /min_strength_not_met/);
    assert.equal((await emulator.counts()).issuecredential, 0);
  });

  it("uses the certificate of a directory again", async () => {
    const shared = join(directory, "shared");
    const first = await json("--directory", shared);
    const second = await json("--directory", shared);
    assert.equal(first.thumbprint, second.thumbprint);
    assert.equal((await emulator.counts()).issuecredential, 1);
  });
});
