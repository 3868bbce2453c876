/**
 * PINs: what is taken for one, and what is left of it in memory.
 *
 * @module
 */

import assert from "node:assert/strict";
import { chmod, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, before, describe, it } from "node:test";
import { pinFile, type PinSource, readPin } from "../../backends/pkcs11/pin.ts";
import { fromUtf8, utf8 } from "../../src/encoding.ts";
import { isKeyboundError } from "../../src/errors.ts";

const PIN = "73915";

describe("a PIN", () => {
  let directory: string;
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), "keybound-pin-"));
  });
  after(() => rm(directory, { recursive: true, force: true }));

  const file = async (content: string, mode: number = 0o600) => {
    const path = join(directory, crypto.randomUUID());
    await writeFile(path, content, { mode });
    await chmod(path, mode);
    return path;
  };
  const refused = async (source: PinSource) =>
    await assert.rejects(readPin(source), (error) => {
      assert.ok(isKeyboundError(error, "key_provider_unavailable"), String(error));
      assert.ok(!error.message.includes(PIN));
      return true;
    });

  it("isn't empty, longer than 255 bytes, or what a failing source gives", async () => {
    await refused(() => "");
    await refused(() => PIN.repeat(52));
    await refused(() => Promise.reject(new TypeError("no PIN")));
  });

  it("isn't taken from a file that is empty, too large, a link or not there", async () => {
    const path = await file(PIN);
    const link = join(directory, "link");
    await symlink(path, link);
    for (const bad of [await file(""), await file(PIN.repeat(60)), link, directory, "/no/pin"]) {
      await refused(pinFile(bad));
    }
  });

  if (process.platform !== "win32") {
    it("isn't taken from a file that others may read", async () => {
      for (const mode of [0o644, 0o640, 0o602]) await refused(pinFile(await file(PIN, mode)));
    });
  }

  it("is the first line of its file", async () => {
    for (const content of [PIN, `${PIN}\n`, `${PIN}\r\n`, `${PIN}\nmore`]) {
      assert.equal(fromUtf8(await readPin(pinFile(await file(content)))), PIN);
    }
  });

  it("leaves nothing behind of what was read from a file", async () => {
    const source = pinFile(await file(`${PIN}\n`));
    let given: Uint8Array | undefined;
    const watched = Object.assign(
      async () => given = await source() as Uint8Array,
      { givesAway: source.givesAway ?? false },
    );
    assert.equal(fromUtf8(await readPin(watched)), PIN);
    assert.deepEqual(given, new Uint8Array(PIN.length));
  });

  it("stays in bytes that are the caller's", async () => {
    const bytes = utf8(PIN);
    await readPin(() => bytes);
    assert.equal(fromUtf8(bytes), PIN);
  });
});
