/**
 * `keybound keys`, on SoftHSM where it is installed.
 *
 * @module
 */

import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { after, describe, it } from "node:test";
import { pkcs11Keys } from "../../backends/pkcs11/mod.ts";
import { type ExitCode, run } from "../../cli/run.ts";
import { fromBase64, hex } from "../../src/encoding.ts";
import { ended, startProgram, written } from "../backends/support/child.ts";
import { softHsm } from "../support/softhsm.ts";
import { optionsOf } from "./support/tokens.ts";

interface Outcome {
  readonly code: ExitCode;
  readonly output: string;
  readonly complaint: string;
  readonly questions: readonly string[];
}

const BAD_PIN = "73915";

/** Runs the program with an answer to every question. */
async function keybound(
  args: readonly string[],
  environment: Record<string, string> = {},
  answer: string | undefined = undefined,
): Promise<Outcome> {
  const lines: string[] = [];
  const complaints: string[] = [];
  const questions: string[] = [];
  const code = await run(args, {
    environment,
    print: (line) => void lines.push(line),
    complain: (line) => void complaints.push(line),
    askSecret: (question) => {
      questions.push(question);
      return answer === undefined
        ? Promise.reject(new Error("no terminal"))
        : Promise.resolve(answer);
    },
  });
  return { code, output: lines.join("\n"), complaint: complaints.join("\n"), questions };
}

describe("keybound", () => {
  const URI = ["--pkcs11", "pkcs11:token=a?module-path=/nowhere/module.so"];
  const misused: [string, string[], RegExp][] = [
    ["an unknown command", ["keyz"], /--help/],
    ["no action", ["keys"], /create/],
    ["an unknown action", ["keys", "constructor", ...URI], /create/],
    ["an unknown option", ["keys", "list", "--slot", "1", ...URI], /isn't known/],
    ["a PIN as an argument", ["keys", "list", `--pin=${BAD_PIN}`, ...URI], /isn't known/],
    ["no token", ["keys", "list"], /--pkcs11/],
    ["a removal without a name", ["keys", "remove", ...URI], /Name the key/],
    ["a list with a name", ["keys", "list", "k", ...URI], /all keys/],
    [
      "an algorithm for a removal",
      ["keys", "remove", "k", "--algorithm", "P-256", ...URI],
      /create/,
    ],
    ["two PINs", ["keys", "list", "--pin-env", "A", "--pin-source", "/b", ...URI], /one of/],
    ["a PIN in no variable", ["keys", "list", "--pin-env", "ABSENT", ...URI], /ABSENT/],
  ];
  for (const [what, args, expected] of misused) {
    it(`ends with 2 for ${what}, and says what to write`, async () => {
      const { code, output, complaint } = await keybound(args, {}, "1234");
      assert.equal(code, 2);
      assert.equal(output, "");
      assert.match(complaint, expected);
      assert.ok(!complaint.includes(BAD_PIN));
    });
  }

  it("ends with 1 where the token can't be used, and says why", async () => {
    const { code, complaint } = await keybound(["keys", "list", ...URI], {}, "1234");
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

  it("shows help, with examples", async () => {
    assert.match((await keybound([])).output, /keys +make, list and remove keys/);
    const { code, output } = await keybound(["keys", "--help"]);
    assert.equal(code, 0);
    assert.match(output, /Examples\n\n {2}keybound keys create/);
    assert.match((await keybound(["--version"])).output, /^\d+\.\d+\.\d+/);
  });
});

const token = await softHsm();

describe("keybound keys", () => {
  if (token === undefined) {
    it("has no token to try: nothing is tested", () => assert.equal(token, undefined));
    return;
  }
  after(() => token.destroy());
  const uri = `pkcs11:token=${token.label}?module-path=${token.library}`;
  const onToken = ["--pkcs11", uri];

  it("asks for the PIN where nothing says where it is, and complains of a wrong one", async () => {
    const { code, questions, complaint } = await keybound(
      ["keys", "list", ...onToken],
      {},
      BAD_PIN,
    );
    assert.equal(code, 1);
    assert.deepEqual(questions, ["PIN of the token 'keybound': "]);
    assert.match(complaint, /CKR_PIN_INCORRECT/);
    assert.ok(!complaint.includes(BAD_PIN));
  });

  it("makes, lists and removes a key", async () => {
    const withPin = async (...args: string[]) => {
      const { code, output, complaint } = await keybound([...args, ...onToken], {}, token.pin);
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
        TOKEN_PIN: token.pin,
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

  it("is a program that takes its token from the environment", async () => {
    const file = join(token.directory, "pin");
    await writeFile(file, token.pin, { mode: 0o600 });
    process.env["KEYBOUND_PKCS11_URI"] = `${uri}&pin-source=${file}`;
    const program = startProgram(new URL("../../cli/main.ts", import.meta.url), [
      ...["keys", "remove", "absent"],
    ]);
    const end = ended(program);
    delete process.env["KEYBOUND_PKCS11_URI"];
    await written(program, "There is no key 'absent' any more.");
    assert.equal(await end, 0);
  });
});
