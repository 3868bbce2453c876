/**
 * The token a host is set up to use, and where a PIN comes from.
 *
 * @module
 */

import assert from "node:assert/strict";
import { chmod, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { afterEach, beforeEach, describe, it } from "node:test";
import { findPkcs11 } from "../../backends/pkcs11/mod.ts";
import { pinFile, readPin } from "../../backends/pkcs11/pin.ts";
import { RefusedPins } from "../../backends/pkcs11/refused_pins.ts";
import { fromUtf8, utf8 } from "../../src/encoding.ts";
import { isKeyboundError } from "../../src/errors.ts";

const TPM = "/dev/tpmrm0";
const TPM_MODULE = "/usr/lib64/pkcs11/libtpm2_pkcs11.so";

describe("findPkcs11", () => {
  const find = (environment: Record<string, string>, ...files: string[]) =>
    findPkcs11(environment, (path) => Promise.resolve(files.includes(path)));
  const isInvalid = (error: unknown) => isKeyboundError(error, "invalid_argument");

  it("refuses a URI that isn't one", async () => {
    await assert.rejects(find({ KEYBOUND_PKCS11_URI: "softhsm" }), isInvalid);
  });

  it("refuses a module that isn't there, rather than to look for another", async () => {
    const uri = "pkcs11:token=a?module-path=/m.so";
    const environment = { KEYBOUND_PKCS11_URI: uri, PKCS11_MODULE_PATH: "/other.so" };
    await assert.rejects(find(environment, "/other.so", TPM, TPM_MODULE), isInvalid);
  });

  it("refuses a token without any module", async () => {
    await assert.rejects(find({ KEYBOUND_PKCS11_URI: "pkcs11:token=a" }, TPM), isInvalid);
    await assert.rejects(find({ KEYBOUND_PKCS11_URI: "pkcs11:token=a" }, TPM_MODULE), isInvalid);
  });

  it("finds nothing where no token is named, module and TPM or not", async () => {
    assert.equal(await find({ PKCS11_MODULE_PATH: "/m.so" }, "/m.so", TPM, TPM_MODULE), undefined);
    assert.equal(await find({ KEYBOUND_PKCS11_URI: "" }), undefined);
  });

  it("finds the module of the URI before that of other variables, and that before the TPM", async () => {
    const uri = "pkcs11:token=a?module-path=/m.so";
    const variables = { PKCS11_PROVIDER_MODULE: "/p.so", PKCS11_MODULE_PATH: "/q.so" };
    const files = ["/m.so", "/p.so", "/q.so", TPM, TPM_MODULE];
    const module = async (environment: Record<string, string>) =>
      (await find(environment, ...files))?.module;
    assert.equal(await module({ ...variables, KEYBOUND_PKCS11_URI: uri }), "/m.so");
    const bare = { KEYBOUND_PKCS11_URI: "pkcs11:token=a" };
    assert.equal(await module({ ...variables, ...bare }), "/p.so");
    assert.equal(await module({ PKCS11_MODULE_PATH: "/q.so", ...bare }), "/q.so");
    assert.equal(await module(bare), TPM_MODULE);
  });

  it("says why in a sentence that shows no PIN file", async () => {
    const uri = "pkcs11:token=a?module-path=/m.so&pin-source=/etc/pin";
    const found = await find({ KEYBOUND_PKCS11_URI: uri }, "/m.so");
    assert.equal(found?.uri, uri);
    assert.match(found.reason, /'\/m\.so'/);
    assert.ok(!found.reason.includes("/etc/pin"));
  });
});

describe("a PIN", () => {
  let directory: string;
  let path: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "keybound-"));
    path = join(directory, "pin");
  });
  afterEach(() => rm(directory, { recursive: true }));

  const isRefused = (error: unknown) => {
    assert.ok(isKeyboundError(error, "key_provider_unavailable"));
    assert.ok(!error.message.includes("73915"));
    return true;
  };

  it("isn't taken where its source fails, or gives none or too much", async () => {
    await assert.rejects(readPin(() => Promise.reject(new Error("no"))), isRefused);
    await assert.rejects(readPin(() => ""), isRefused);
    await assert.rejects(readPin(() => "73915".repeat(60)), isRefused);
  });

  it("is copied, so that it can be zeroed without harm to its source", async () => {
    const given = utf8("73915");
    const pin = await readPin(() => given);
    assert.equal(fromUtf8(pin), "73915");
    pin.fill(0);
    assert.equal(fromUtf8(given), "73915");
  });

  if (process.platform !== "win32") {
    const unfit: [string, () => Promise<void>][] = [
      ["isn't there", () => rm(path)],
      ["its group may read", () => chmod(path, 0o640)],
      ["others may write", () => chmod(path, 0o602)],
      ["is a folder", async () => {
        await rm(path);
        path = directory;
      }],
      ["is too large", () => writeFile(path, "73915".repeat(60))],
      ["is empty", () => writeFile(path, "\n")],
      ["is a symbolic link", async () => {
        await symlink(path, join(directory, "link"));
        path = join(directory, "link");
      }],
    ];
    for (const [what, spoil] of unfit) {
      it(`isn't read from a file that ${what}`, async () => {
        await writeFile(path, "73915\n", { mode: 0o600 });
        await spoil();
        await assert.rejects(readPin(pinFile(path)), isRefused);
      });
    }
  }

  it("is the first line of its file", async () => {
    for (const content of ["73915", "73915\n", "73915\r\n"]) {
      await writeFile(path, content, { mode: 0o600 });
      assert.equal(fromUtf8(await readPin(pinFile(path))), "73915");
    }
  });

  it("that was refused is known again for its token, and nowhere to be read", () => {
    const refused = new RefusedPins();
    refused.add("token", utf8("73915"));
    assert.ok(refused.has("token", utf8("73915")));
    assert.ok(!refused.has("token", utf8("73916")));
    assert.ok(!refused.has("other", utf8("73915")));
    assert.ok(!JSON.stringify(refused).includes("73915"));
  });
});
