/**
 * `keybound certs`, against the emulator.
 *
 * @module
 */

import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import { lifeState } from "../../cli/certs/inventory.ts";
import { fileStore } from "../../backends/files/mod.ts";
import {
  DEFAULT_IDENTITIES,
  type Emulator,
  oauthFailure,
  spawnEmulator,
} from "../../emulator/mod.ts";
import { fromBase64 } from "../../src/encoding.ts";
import { keybound } from "./support/program.ts";

const ALIAS = "system_assigned_managed_identity#att=0";
const { clientId: USER } = DEFAULT_IDENTITIES.find(({ kind }) => kind === "user")!;

describe("the life of a certificate", () => {
  const hour = 3_600_000;
  const leaf = { notBefore: 0, notAfter: 100 * hour } as Parameters<typeof lifeState>[0];
  const states: [number, string][] = [
    [-6 * 60_000, "early"],
    [-4 * 60_000, "valid"],
    [49 * hour, "valid"],
    [50 * hour, "due"],
    [75 * hour, "due"],
    [76 * hour, "ending"],
    [100 * hour, "expired"],
  ];
  for (const [now, state] of states) {
    it(`is ${state} at ${now / hour} h of 100`, () => assert.equal(lifeState(leaf, now), state));
  }
});

describe("keybound certs", () => {
  let emulator: Emulator;
  let parent: string;
  let directory: string;
  let environment: Record<string, string>;
  before(async () => {
    emulator = await spawnEmulator();
  });
  beforeEach(async () => {
    await emulator.reset();
    parent = await mkdtemp(join(tmpdir(), "keybound-cli-certs-"));
    directory = join(parent, "kept");
    await writeFile(join(parent, "ca.pem"), emulator.ca);
    environment = {
      AZURE_POD_IDENTITY_AUTHORITY_HOST: emulator.metadata,
      KEYBOUND_CA: join(parent, "ca.pem"),
      KEYBOUND_DIRECTORY: directory,
    };
  });
  afterEach(() => rm(parent, { recursive: true, force: true }));
  after(() => emulator.close());

  const done = async (...args: string[]) => {
    const { code, output, complaint } = await keybound([...args, "--json"], { environment });
    assert.equal(code, 0, complaint);
    assert.ok(!/eyJ[\w-]+\.|PRIVATE KEY/.test(output + complaint));
    return output === "" ? [] : output.split("\n").map((line) => JSON.parse(line));
  };
  const token = async (...args: string[]) =>
    (await done("token", "--resource", "https://vault.azure.net", ...args))[0];

  it("lists none where there is no directory", async () => {
    assert.deepEqual(await done("certs", "list"), []);
    const { complaint } = await keybound(["certs", "list"], { environment });
    assert.match(complaint, /no certificates/);
  });

  it("lists certificates of all identities, masked, and whether their key signs", async () => {
    const own = await token();
    const user = await token("--client-id", USER);
    const listed = await done("certs", "list");
    const thumbprints = listed.map(({ thumbprint }) => thumbprint);
    assert.deepEqual(thumbprints.sort(), [own.thumbprint, user.thumbprint].sort());
    for (const { alias, life, key, lifeLeft, attested } of listed) {
      assert.match(alias, /^….{8}\(\d+\)$/);
      assert.deepEqual([life, key, attested], ["valid", "alive", false]);
      assert.ok(lifeLeft > 6 * 86_400);
    }
    const { output } = await keybound(["certs", "list"], { environment });
    assert.match(output, /^ALIAS +THUMBPRINT +LIFE +LEFT +KEY\n/);
    assert.match(output, /valid +6 d 23 h +alive$/m);
    assert.ok(!output.includes(USER));
  });

  it("tells a key that is gone from one that is another", async () => {
    await token();
    const key = async () => (await done("certs", "list"))[0].key;
    await done("keys", "create");
    assert.equal(await key(), "orphaned");
    await done("keys", "remove", "keybound");
    assert.equal(await key(), "missing");
    await writeFile(join(directory, "key-keybound.pem"), "no PEM", { mode: 0o600 });
    assert.equal(await key(), "unknown");
  });

  it("lists one that is about to end, and passes over what isn't its", async () => {
    const [{ spki }] = await done("keys", "create");
    await emulator.set({ certificateBackdate: 3_600_000 });
    const issued = await emulator.issue({ spki, clientId: USER, lifetime: 60_000 });
    const certificate = fromBase64(issued.certificate);
    const endpoint = `${emulator.mtls}/tenant`;
    await fileStore({ directory }).put(ALIAS, { certificate, endpoint, clientId: USER });
    await writeFile(join(directory, `${"a".repeat(64)}.${"b".repeat(64)}.v1.json`), "{}", {
      mode: 0o600,
    });
    const [listed, ...rest] = await done("certs", "list");
    assert.equal(rest.length, 0);
    assert.deepEqual([listed.life, listed.key, listed.endpoint], ["ending", "alive", endpoint]);
  });

  it("evicts those of one identity, or of all", async () => {
    await token();
    await token("--client-id", USER);
    assert.deepEqual(await done("certs", "evict", "--client-id", USER), [{ evicted: 1 }]);
    assert.equal((await done("certs", "list")).length, 1);
    assert.deepEqual(await done("certs", "evict", "--attested"), [{ evicted: 0 }]);
    await token("--client-id", USER);
    assert.deepEqual(await done("certs", "evict", "--all"), [{ evicted: 2 }]);
    assert.deepEqual(await done("certs", "list"), []);
  });

  it("keeps the old certificate where no new one is to be had", async () => {
    await token();
    await emulator.script("issuecredential", oauthFailure("invalid_request"));
    const { code, complaint } = await keybound(["certs", "renew"], { environment });
    assert.equal(code, 1);
    assert.match(complaint, /^keybound: \w+: /);
    assert.equal((await fileStore({ directory }).list(ALIAS)).length, 1);
  });

  it("renews: the next token is bound to the new certificate", async () => {
    const old = await token();
    const [renewed] = await done("certs", "renew");
    assert.notEqual(renewed.thumbprint, old.thumbprint);
    assert.equal((await token()).thumbprint, renewed.thumbprint);
    assert.deepEqual((await done("certs", "list")).map(({ thumbprint }) => thumbprint), [
      renewed.thumbprint,
    ]);
    assert.equal((await emulator.counts()).issuecredential, 2);
  });
});
