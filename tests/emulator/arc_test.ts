import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { after, before, beforeEach, describe, it } from "node:test";
import { type Emulator, type EmulatorOptions, startEmulator } from "../../emulator/mod.ts";
import { type Answer, send } from "./support/http.ts";
import { asked, claimsOf } from "./support/sources.ts";

function request(emulator: Emulator, authorization?: string): Promise<Answer> {
  const { url, sending } = asked(emulator, "arc", {}, { authorization });
  return send(url, sending);
}

/** The path that a challenge names. */
function realm({ status, headers }: Answer): string {
  assert.equal(status, 401);
  const [, path] = /^Basic realm=(\S+)$/.exec(`${headers["www-authenticate"]}`) ?? [];
  assert.ok(path);
  return path;
}

describe("the emulated Arc agent", () => {
  let directory: string;
  let emulator: Emulator;
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), "keybound-test-"));
    emulator = await startEmulator({ arcChallengeDirectory: directory });
  });
  beforeEach(() => emulator.reset());
  after(async () => {
    await emulator.close();
    await rm(directory, { recursive: true, force: true });
  });

  for (
    const [what, options] of [
      ["a relative directory", { arcChallengeDirectory: "tokens" }],
      ["a directory that no header can carry", { arcChallengeDirectory: "/tmp/a\r\nb" }],
      ["an announced directory that no header can carry", { arcAnnouncedDirectory: "/tmp/ä" }],
    ] as [string, EmulatorOptions][]
  ) {
    it(`isn't started with ${what}`, async () => {
      await assert.rejects(startEmulator(options), {
        code: "invalid_argument",
        message: /options\.arc/,
      });
    });
  }

  it("isn't started with a directory that can't be made", async () => {
    const file = join(directory, "file");
    await writeFile(file, "");
    await assert.rejects(startEmulator({ arcChallengeDirectory: join(file, "tokens") }), {
      code: "invalid_argument",
      message: /arcChallengeDirectory/,
    });
    await rm(file);
  });

  const wrong: [string, (content: string) => string][] = [
    ["another content", () => "Basic nonsense"],
    ["another scheme", (content) => `Bearer ${content}`],
    ["no scheme", (content) => content],
    ["base64 of the content", (content) => `Basic ${Buffer.from(content).toString("base64")}`],
    ["more than the content", (content) => `Basic ${content} x`],
  ];
  for (const [what, authorization] of wrong) {
    it(`refuses ${what}, and leaves the challenge open`, async () => {
      const content = await readFile(realm(await request(emulator)), "utf8");
      const answer = await request(emulator, authorization(content));
      assert.equal(answer.status, 403);
      assert.equal(answer.json["error"], "forbidden");
      assert.equal((await request(emulator, `Basic ${content}`)).status, 200);
    });
  }

  it("challenges with a new file for its owner alone, gone once it was used", async () => {
    const [first, second] = [realm(await request(emulator)), realm(await request(emulator))];
    assert.notEqual(first, second);
    for (const path of [first, second]) {
      assert.equal(dirname(path), directory);
      assert.match(path, /\.key$/);
      if (process.platform !== "win32") assert.equal((await stat(path)).mode & 0o777, 0o600);
    }
    const content = await readFile(first, "utf8");
    assert.ok(content.length >= 43 && content.length < 4096);
    const answer = await request(emulator, `Basic ${content}`);
    assert.equal(answer.status, 200);
    assert.equal(claimsOf(answer.json)["cnf"], undefined);
    assert.deepEqual(await readdir(directory), [second.slice(directory.length + 1)]);

    assert.equal((await request(emulator, `Basic ${content}`)).status, 403);
    const records = await emulator.requests("arc");
    assert.deepEqual(
      records.map(({ status, authorizationScheme }) => [status, authorizationScheme]),
      [
        [401, null],
        [401, null],
        [200, "Basic"],
        [403, "Basic"],
      ],
    );
    assert.ok(!JSON.stringify(records).includes(content));
  });

  it("takes one of two answers to the same challenge", async () => {
    const content = await readFile(realm(await request(emulator)), "utf8");
    const answers = await Promise.all([1, 2].map(() => request(emulator, `Basic ${content}`)));
    assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 403]);
  });

  it("withdraws its challenges by reset", async () => {
    const content = await readFile(realm(await request(emulator)), "utf8");
    await emulator.reset();
    assert.deepEqual(await readdir(directory), []);
    assert.equal((await request(emulator, `Basic ${content}`)).status, 403);
  });

  it("keeps a hundred challenges open, no more", async () => {
    for (let i = 0; i < 103; i++) await request(emulator);
    assert.equal((await readdir(directory)).length, 100);
  });

  it("names another path, none, or asks again, as scripted", async () => {
    await emulator.script(
      "arc",
      { kind: "amend", headers: { "www-authenticate": "Basic realm=/etc/passwd" } },
      { kind: "amend", removeHeaders: ["www-authenticate"] },
      { kind: "pass" },
      { kind: "respond", status: 401, headers: { "www-authenticate": "Basic realm=/x/y.key" } },
    );
    assert.equal(realm(await request(emulator)), "/etc/passwd");
    const silent = await request(emulator);
    assert.deepEqual([silent.status, silent.headers["www-authenticate"]], [401, undefined]);
    const content = await readFile(realm(await request(emulator)), "utf8");
    assert.equal(realm(await request(emulator, `Basic ${content}`)), "/x/y.key");
  });

  it("removes its files when it is closed, and leaves a directory that isn't its own", async () => {
    const other = await startEmulator({ arcChallengeDirectory: directory });
    const path = realm(await request(other));
    await stat(path);
    await other.close();
    await assert.rejects(stat(path), { code: "ENOENT" });
    await stat(directory);
  });

  it("has a directory of its own where none is given, and takes it along", async () => {
    const other = await startEmulator();
    const path = realm(await request(other));
    assert.equal((await request(other, `Basic ${await readFile(path, "utf8")}`)).status, 200);
    await stat(dirname(path));
    await other.close();
    await assert.rejects(stat(dirname(path)), { code: "ENOENT" });
  });

  for (
    const [announced, prefix] of [
      ["/var/opt/azcmagent/tokens", "/var/opt/azcmagent/tokens/"],
      ["/var/opt/azcmagent/tokens/", "/var/opt/azcmagent/tokens/"],
      [
        "C:\\ProgramData\\AzureConnectedMachineAgent\\Tokens",
        "C:\\ProgramData\\AzureConnectedMachineAgent\\Tokens\\",
      ],
    ] as const
  ) {
    it(`calls its directory ${announced} when told to`, async () => {
      const other = await startEmulator({
        arcChallengeDirectory: directory,
        arcAnnouncedDirectory: announced,
      });
      try {
        const path = realm(await request(other));
        assert.ok(path.startsWith(prefix), path);
        const content = await readFile(join(directory, path.slice(prefix.length)), "utf8");
        assert.equal((await request(other, `Basic ${content}`)).status, 200);
      } finally {
        await other.close();
      }
    });
  }
});
