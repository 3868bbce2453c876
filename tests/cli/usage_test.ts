/**
 * What the program says of itself, and what it says to arguments that it doesn't understand.
 *
 * @module
 */

import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, before, describe, it } from "node:test";
import { VERSION } from "../../src/version.ts";
import { keybound, spawnKeybound } from "./support/program.ts";

const COMMANDS = ["token", "doctor", "certs", "keys", "emulator", "proxy"];
const RESOURCE = ["--resource", "https://vault.azure.net"];
const UPSTREAM = ["--upstream", "https://vault.example"];

describe("keybound", () => {
  let metadata: Server;
  let requests = 0;
  let environment: Record<string, string>;
  let directory: string;
  before(async () => {
    metadata = createServer((_, response) => {
      requests += 1;
      response.end();
    });
    await new Promise<void>((resolve) => metadata.listen(0, "127.0.0.1", resolve));
    const { port } = metadata.address() as AddressInfo;
    environment = { AZURE_POD_IDENTITY_AUTHORITY_HOST: `http://127.0.0.1:${port}` };
    directory = await mkdtemp(join(tmpdir(), "keybound-cli-usage-"));
    await writeFile(join(directory, "text"), "no JSON, no PEM");
  });
  after(async () => {
    await new Promise((resolve) => metadata.close(resolve));
    await rm(directory, { recursive: true, force: true });
  });

  const misused: [string, string[], RegExp][] = [
    ["an unknown command", ["tokens"], /--help/],
    ["a token for nothing", ["token"], /--resource/],
    ["a resource that is none", ["token", "--resource", "a b"], /must be like/],
    ["an unknown binding", ["token", ...RESOURCE, "--binding", "dpop"], /mtls_pop, bearer or pref/],
    ["an unknown strength", ["token", ...RESOURCE, "--min-strength", "steel"], /hardware/],
    [
      "a strength for a bearer token",
      ["token", ...RESOURCE, "--binding", "bearer", "--min-strength", "software"],
      /mtls_pop/,
    ],
    ["two identities", ["token", ...RESOURCE, "--client-id", "a", "--object-id", "b"], /one of/],
    ["an identity that is none", ["token", ...RESOURCE, "--client-id", "a|b"], /clientId/],
    ["an argument too many", ["token", ...RESOURCE, "now"], /belongs to no option/],
    ["a CA that isn't there", ["token", ...RESOURCE, "--ca", "/nowhere/ca.pem"], /'--ca'/],
    ["an unknown option of the doctor", ["doctor", "--fix"], /isn't known/],
    ["no action on certificates", ["certs"], /list.*evict.*renew/],
    ["certificates without a directory", ["certs", "list"], /--directory/],
    ["all certificates in a list", ["certs", "list", "--directory", "/d", "--all"], /evict/],
    [
      "all certificates of one identity",
      ["certs", "evict", "--directory", "/d", "--all", "--client-id", "a"],
      /--all/,
    ],
    ["a port that is none", ["emulator", "--metadata-port", "70000"], /65535/],
    ["a time that is none", ["emulator", "--certificate-lifetime", "soon"], /90s/],
    ["a switch that is none", ["emulator", "--v1-only", "yes"], /true or false/],
    ["one port twice", ["emulator", "--mtls-port", "81", "--admin-port", "81"], /same port/],
    ["a configuration that isn't there", ["emulator", "--config", "/nowhere"], /can't be read/],
    ["a proxy for nothing", ["proxy", ...UPSTREAM, "--reveal"], /--resource/],
    ["a proxy to nowhere", ["proxy", ...RESOURCE, "--reveal"], /--upstream/],
    [
      "a proxy to plain HTTP",
      ["proxy", ...RESOURCE, "--reveal", "--upstream", "http://vault.example"],
      /https/,
    ],
    [
      "a proxy to a URL with a password",
      ["proxy", ...RESOURCE, "--reveal", "--upstream", "https://u:geheim@vault.example"],
      /without user/,
    ],
    ["a proxy whose secret nobody gets", ["proxy", ...RESOURCE, ...UPSTREAM], /--secret-file/],
    [
      "a proxy on a port and a socket",
      ["proxy", ...RESOURCE, ...UPSTREAM, "--socket", "/s", "--port", "1"],
      /--socket/,
    ],
  ];
  for (const [what, args, expected] of misused) {
    it(`ends with 2 for ${what}, before any network`, async () => {
      const { code, output, complaint } = await keybound(args, { environment });
      assert.equal(code, 2, complaint);
      assert.equal(output, "");
      assert.match(complaint, expected);
      assert.match(complaint, /--help/);
      assert.ok(!complaint.includes("geheim"));
      assert.equal(requests, 0);
    });
  }

  it("ends with 2 for files that hold something else", async () => {
    const text = join(directory, "text");
    for (const args of [["doctor", "--ca", text], ["emulator", "--config", text]]) {
      const { code, complaint } = await keybound(args, { environment });
      assert.equal(code, 2);
      assert.match(complaint, /no certificates|no JSON/);
    }
  });

  it("never repeats an argument that it doesn't know", async () => {
    for (const command of COMMANDS) {
      const { code, complaint } = await keybound([command, "--password=geheim"], { environment });
      assert.equal(code, 2);
      assert.ok(!complaint.includes("geheim"));
    }
  });

  it("shows help with examples for every command, without colours", async () => {
    const { output } = await keybound([]);
    for (const command of COMMANDS) {
      assert.match(output, new RegExp(`^ {2}${command} +\\S`, "m"));
      const { code, output: help } = await keybound([command, "--help"]);
      assert.equal(code, 0);
      assert.match(help, new RegExp(`Examples\\n\\n(.*\\n)*?.*keybound ${command}`));
      assert.equal((await keybound(["help", command])).output, help);
      assert.ok(help.split("\n").every((line) => line.length <= 100), `${command}: a long line`);
    }
    assert.ok(!output.includes("\x1b"));
  });

  it("colours its complaints only where there are colours", async () => {
    const { complaint } = await keybound(["token"], { colours: true });
    assert.ok(complaint.startsWith("\x1b[31mkeybound:\x1b[39m Say"));
    assert.ok(!(await keybound(["token"])).complaint.includes("\x1b"));
  });

  it("is a program that says its version and how it ended", async () => {
    const own = process.env as Record<string, string>;
    const [version, misuse] = await Promise.all([
      spawnKeybound(["--version"], own),
      spawnKeybound(["token"], own),
    ]);
    assert.deepEqual(version, { code: 0, output: `${VERSION}\n`, complaint: "" });
    assert.equal(misuse.code, 2);
    assert.match(misuse.complaint, /^keybound: Say what for/);
  });
});
