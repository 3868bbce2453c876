/**
 * `keybound keys`: in a directory, and on SoftHSM where it is installed.
 *
 * @module
 */

import assert from "node:assert/strict";
import { chmod, mkdtemp, realpath, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, afterEach, beforeEach, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { fileKeyStorage } from "../../backends/files/mod.ts";
import { pkcs11Keys } from "../../backends/pkcs11/mod.ts";
import { webcryptoKeys } from "../../backends/webcrypto/mod.ts";
import { fromBase64, hex } from "../../src/encoding.ts";
import { optionsOf } from "../pkcs11/support/tokens.ts";
import { softHsm } from "../support/softhsm.ts";
import { keybound, spawnKeybound } from "./support/program.ts";

const BAD_PIN = "73915";

describe("keybound keys, misused", () => {
  const URI = ["--pkcs11", "pkcs11:token=a?module-path=/nowhere/module.so"];
  const misused: [string, string[], RegExp][] = [
    ["no action", ["keys"], /create/],
    ["an unknown action", ["keys", "constructor", ...URI], /create/],
    ["an unknown option", ["keys", "list", "--slot", "1", ...URI], /isn't known/],
    ["a PIN as an argument", ["keys", "list", `--pin=${BAD_PIN}`, ...URI], /isn't known/],
    ["no token and no directory", ["keys", "list"], /--pkcs11.*--directory/],
    ["a removal without a name", ["keys", "remove", ...URI], /Name the key/],
    ["a list with a name", ["keys", "list", "k", ...URI], /all keys/],
    [
      "an algorithm for a removal",
      ["keys", "remove", "k", "--algorithm", "P-256", ...URI],
      /create/,
    ],
    ["an unknown algorithm", ["keys", "create", "--algorithm", "DSA", ...URI], /RSA-2048/],
    ["two PINs", ["keys", "list", "--pin-env", "A", "--pin-source", "/b", ...URI], /one of/],
    ["a PIN in no variable", ["keys", "list", "--pin-env", "ABSENT", ...URI], /ABSENT/],
    ["a directory and a token", ["keys", "list", "--directory", "/d", ...URI], /--pkcs11/],
  ];
  for (const [what, args, expected] of misused) {
    it(`ends with 2 for ${what}, and says what to write`, async () => {
      const { code, output, complaint } = await keybound(args, { answer: "1234" });
      assert.equal(code, 2);
      assert.equal(output, "");
      assert.match(complaint, expected);
      assert.ok(!complaint.includes(BAD_PIN));
    });
  }

  it("ends with 1 where the token can't be used, and says why", async () => {
    const { code, complaint } = await keybound(["keys", "list", ...URI], { answer: "1234" });
    assert.equal(code, 1);
    assert.match(complaint, /^keybound: key_provider_unavailable: .*\/nowhere\/module\.so/);
  });

  it("ends with 1 for a URI with a PIN in it, which it doesn't show", async () => {
    const uri = `pkcs11:token=a?module-path=/m.so&pin-value=${BAD_PIN}`;
    const { code, complaint } = await keybound(["keys", "list", "--pkcs11", uri]);
    assert.equal(code, 1);
    assert.match(complaint, /invalid_argument/);
    assert.ok(!complaint.includes(BAD_PIN));
  });
});

describe("keybound keys in a directory", () => {
  let directory: string;
  beforeEach(async () => {
    directory = join(await realpath(await mkdtemp(join(tmpdir(), "keybound-cli-keys-"))), "keys");
  });
  afterEach(() => rm(join(directory, ".."), { recursive: true, force: true }));

  const json = async (...args: string[]) => {
    const { code, output, complaint } = await keybound(["keys", ...args, "--json"], {
      environment: { KEYBOUND_DIRECTORY: directory },
    });
    assert.equal(complaint, "");
    assert.equal(code, 0);
    return output === "" ? [] : output.split("\n").map((line) => JSON.parse(line));
  };

  it("refuses a directory that others may write", async () => {
    await chmod(join(directory, ".."), 0o777);
    const { code, complaint } = await keybound([
      "keys",
      "list",
      "--directory",
      join(directory, ".."),
    ]);
    assert.equal(code, 1);
    assert.match(complaint, /key_provider_unavailable: .*open to others/);
  });

  it("lists none where there is no directory", async () => {
    assert.deepEqual(await json("list"), []);
  });

  it("makes a key that the library then opens, lists it and removes it", async () => {
    const [made] = await json("create", "--algorithm", "P-256");
    assert.equal(made.id, "keybound");
    assert.equal(made.strength, "software");
    const { mode } = await stat(fileURLToPath(made.uri));
    assert.equal(mode & 0o777, 0o600);
    const keys = webcryptoKeys({ storage: fileKeyStorage({ directory }) });
    assert.equal(hex((await keys.open("keybound"))!.spki), hex(fromBase64(made.spki)));
    assert.deepEqual(await json("list"), [
      { label: "keybound", uri: made.uri, algorithm: "P-256" },
    ]);
    assert.deepEqual(await json("remove", "keybound"), [{ id: "keybound" }]);
    assert.deepEqual(await json("list"), []);
  });

  it("lists a key file that can't be used, and one whose name is a hash", async () => {
    await json("create", "A Name", "--algorithm", "P-256");
    await writeFile(join(directory, "key-broken.pem"), "no PEM", { mode: 0o600 });
    const listed = await json("list");
    assert.deepEqual(listed.map(({ label }) => label), ["", "broken"]);
    assert.match(listed[1].fault, /is no PEM/);
  });

  it("shows no private key", async () => {
    await json("create");
    for (const args of [["list"], ["list", "--json"], ["create", "--json"]]) {
      const { output } = await keybound(["keys", ...args, "--directory", directory]);
      assert.ok(!/PRIVATE KEY|MIIEv/.test(output));
    }
  });
});

const token = await softHsm();

describe("keybound keys on a token", () => {
  if (token === undefined) {
    it("has no token to try: nothing is tested", () => assert.equal(token, undefined));
    return;
  }
  after(() => token.destroy());
  const uri = `pkcs11:token=${token.label}?module-path=${token.library}`;
  const onToken = ["--pkcs11", uri];

  it("asks for the PIN where nothing says where it is, and complains of a wrong one", async () => {
    const { code, questions, complaint } = await keybound(["keys", "list", ...onToken], {
      answer: BAD_PIN,
    });
    assert.equal(code, 1);
    assert.deepEqual(questions, ["PIN of the token 'keybound': "]);
    assert.match(complaint, /CKR_PIN_INCORRECT/);
    assert.ok(!complaint.includes(BAD_PIN));
  });

  it("makes, lists and removes a key", async () => {
    const withPin = async (...args: string[]) => {
      const setting = { answer: token.pin };
      const { code, output, complaint } = await keybound([...args, ...onToken], setting);
      assert.equal(complaint, "");
      assert.equal(code, 0);
      return output;
    };
    assert.equal(await withPin("keys", "list"), "");
    const made = await withPin("keys", "create", "--algorithm", "P-256");
    assert.match(made, /^Made the P-256 key 'keybound': pkcs11:token=keybound;object=keybound;id=/);
    assert.match(await withPin("keys", "list"), /^P-256 +pkcs11:token=keybound;object=keybound;/);
    await withPin("keys", "remove", "keybound");
    await withPin("keys", "remove", "keybound");
    assert.equal(await withPin("keys", "list"), "");
  });

  it("writes JSON that holds what the library then opens", async () => {
    const file = join(token.directory, "pin");
    await writeFile(file, `${token.pin}\n`, { mode: 0o600 });
    const json = async (...args: string[]) => {
      const { output, questions } = await keybound(["keys", ...args, "--json", ...onToken], {
        environment: { TOKEN_PIN: token.pin },
      });
      assert.deepEqual(questions, []);
      return JSON.parse(output);
    };
    const made = await json("create", "k", "--algorithm", "P-256", "--pin-source", file);
    assert.equal(made.strength, "hardware");
    assert.deepEqual(made.schemes, ["ecdsa_secp256r1_sha256"]);
    const [, attributes] = made.uri.split("pkcs11:");
    assert.deepEqual(await json("list", "--pin-env", "TOKEN_PIN"), {
      label: "k",
      uri: `pkcs11:${attributes}`,
      algorithm: "P-256",
    });
    const keys = pkcs11Keys(optionsOf(token));
    assert.equal(hex((await keys.open("k"))!.spki), hex(fromBase64(made.spki)));
    await keys.close();
    assert.deepEqual(await json("remove", "k", "--pin-env", "TOKEN_PIN"), { id: "k" });
  });

  it("is examined by the doctor", async () => {
    const file = join(token.directory, "pin");
    await writeFile(file, token.pin, { mode: 0o600 });
    const { output } = await keybound(["doctor", "--json"], {
      environment: {
        AZURE_POD_IDENTITY_AUTHORITY_HOST: "http://127.0.0.1:9",
        KEYBOUND_PKCS11_URI: `${uri}&pin-source=${file}`,
      },
    });
    const findings = output.split("\n").map((line) => JSON.parse(line));
    const found = findings.find(({ check }) => check === "keys: pkcs11");
    assert.equal(found.verdict, "ok", JSON.stringify(findings));
    assert.ok(!output.includes(token.pin));
  });

  it("is a program that takes its token from the environment", async () => {
    const file = join(token.directory, "pin");
    await writeFile(file, token.pin, { mode: 0o600 });
    const { code, output } = await spawnKeybound(["keys", "remove", "absent"], {
      ...process.env as Record<string, string>,
      KEYBOUND_PKCS11_URI: `${uri}&pin-source=${file}`,
    });
    assert.equal(output, "There is no key 'absent' any more.\n");
    assert.equal(code, 0);
  });
});
