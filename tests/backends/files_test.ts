/**
 * Certificates and keys in files: who may have written them, and what a failure leaves behind.
 *
 * @module
 */

import assert from "node:assert/strict";
import {
  chmod,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  symlink,
  truncate,
  utimes,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { afterEach, beforeEach, describe, it } from "node:test";
import { encodeEntry, entryName } from "../../backends/files/entry.ts";
import { FileKeyStorage } from "../../backends/files/key_storage.ts";
import { fileKeyStorage, fileStore } from "../../backends/files/mod.ts";
import { FileStore } from "../../backends/files/store.ts";
import { hostSurroundings, type Surroundings } from "../../backends/files/surroundings.ts";
import { type ErrorCode, isKeyboundError, KeyboundError } from "../../src/errors.ts";
import type { CertStore, StoredBinding } from "../../src/stores.ts";
import { encodePem } from "../../src/x509/pem.ts";
import { describeCertStore } from "../conformance/cert_store.ts";
import { issueCertificate } from "../support/certificates.ts";
import { failingFileSystem, type FileOperation } from "./support/failing_file_system.ts";

describeCertStore("fileStore", async (clock) => {
  const directory = await mkdtemp(join(tmpdir(), "keybound-"));
  return {
    store: fileStore({ directory, clock }),
    another: () => Promise.resolve(fileStore({ directory, clock })),
    cleanup: () => rm(directory, { recursive: true }),
  };
}, { name: "files" });

const HOUR = 3_600_000;
const ALIAS = "system_assigned_managed_identity#att=0";
const KEY = Uint8Array.from({ length: 80 }, (_, i) => i);
const PEM = encodePem("PRIVATE KEY", KEY);

/** Owners and permission bits are not a matter of Windows. */
const posix = { skip: process.platform === "win32" };

let parent: string;
let directory: string;

/** Gives every test of a suite a directory that isn't there yet, in one that is. */
function useDirectory(): void {
  beforeEach(async () => {
    parent = await mkdtemp(join(tmpdir(), "keybound-"));
    directory = join(parent, "a", "private");
  });
  afterEach(() => rm(parent, { recursive: true }));
}

const storeWith = (given: Partial<Surroundings>) =>
  new FileStore(directory, hostSurroundings(given));
const storageWith = (given: Partial<Surroundings>) =>
  new FileKeyStorage(directory, hostSurroundings(given));

describe("fileStore", () => {
  useDirectory();

  it("makes a directory and files that only their owner reads", posix, async () => {
    const umask = process.umask(0);
    try {
      await fileStore({ directory }).put(ALIAS, await binding());
    } finally {
      process.umask(umask);
    }
    assert.equal(await modeOf(directory), 0o700);
    const names = await listing(directory);
    assert.equal(names.length, 1);
    assert.equal(await modeOf(join(directory, names[0]!)), 0o600);
  });

  it("makes a directory that was removed anew", async () => {
    const store = fileStore({ directory });
    await store.put(ALIAS, await binding());
    await rm(directory, { recursive: true });
    assert.deepEqual(await store.list(ALIAS), []);
    await store.put(ALIAS, await binding());
    assert.equal((await store.list(ALIAS)).length, 1);
  });

  it("tells aliases apart that differ in a lone surrogate", async () => {
    const store = fileStore({ directory });
    await store.put("a\ud800", await binding());
    assert.deepEqual(await store.list("a\ud801"), []);
    assert.equal((await store.list("a\ud800")).length, 1);
  });

  it("lets other files in its directory be", async () => {
    const store = fileStore({ directory });
    await store.put(ALIAS, await binding());
    const foreign = ["README", ".hidden", "key-binding.pem", "ffff.ffff.v1.json", "ff.v2.json"];
    for (const name of foreign) await writeFile(join(directory, name), "foreign");
    assert.equal((await store.list(ALIAS)).length, 1);
    await store.evict(ALIAS);
    assert.deepEqual(await listing(directory), foreign.sort());
  });

  describe("with a file that can't be trusted beside a good one", () => {
    let store: CertStore;
    let good: StoredBinding;
    let bad: StoredBinding;
    let path: string;
    beforeEach(async () => {
      store = fileStore({ directory });
      [good, bad] = [await binding(1), await binding(2)];
      await store.put(ALIAS, good);
      await store.put(ALIAS, bad);
      path = join(directory, entryName(ALIAS, bad.certificate));
    });

    const damages: [string, () => Promise<void>, { skip: boolean }?][] = [
      ["that is empty", () => truncate(path, 0)],
      ["that was cut short", () => truncate(path, 200)],
      ["that isn't JSON", () => writeFile(path, "garbage")],
      ["that isn't UTF-8", () => writeFile(path, Uint8Array.of(0xff, 0xfe))],
      ["that is JSON of another shape", () => writeFile(path, "null")],
      ["that has a field too many", () => change({ more: 1 })],
      ["that lacks a field", () => change({ clientId: undefined })],
      ["that names an endpoint without TLS", () => change({ endpoint: "http://a.example/t" })],
      ["that holds another certificate", () => change({ certificate: base64Of(good) })],
      ["that holds no certificate", () => change({ certificate: "AAAA" })],
      ["that holds no base64", () => change({ certificate: "?" })],
      ["that belongs to another alias", async () => {
        await writeFile(path, encodeEntry("another", bad));
      }],
      ["that is larger than any entry", () => writeFile(path, " ".repeat(131_073))],
      ["that others may write", () => chmod(path, 0o620), posix],
      ["that is a symbolic link", async () => {
        await rename(path, path + ".target");
        await symlink(path + ".target", path);
      }, posix],
      ["that is a directory", async () => {
        await rm(path);
        await mkdir(path);
      }],
    ];

    async function change(fields: Record<string, unknown>): Promise<void> {
      await writeFile(
        path,
        JSON.stringify({ ...JSON.parse(await readFile(path, "utf8")), ...fields }),
      );
    }

    for (const [title, damage, options = {}] of damages) {
      it(`sets one aside ${title}`, options, async () => {
        assert.equal((await store.list(ALIAS)).length, 2);
        await damage();
        const before = await lstat(path);
        assert.deepEqual(await store.list(ALIAS), [good]);
        assert.equal((await lstat(path + ".rejected")).ino, before.ino);
        await assert.rejects(lstat(path), { code: "ENOENT" });
        await store.put(ALIAS, bad);
        assert.deepEqual(await store.list(ALIAS), [bad, good]);
      });
    }

    it("keeps 16 files that were set aside", async () => {
      for (let i = 0; i < 20; i++) {
        const name = entryName(ALIAS, Uint8Array.of(i));
        await writeFile(join(directory, name), "garbage", { mode: 0o600 });
        await store.list(ALIAS);
      }
      const rejected = (await listing(directory)).filter((name) => name.endsWith(".rejected"));
      assert.equal(rejected.length, 16);
      assert.equal((await store.list(ALIAS)).length, 2);
    });

    it("gives nothing of a file of another user", posix, async () => {
      const uid = process.geteuid!();
      const { fs } = hostSurroundings();
      const open = async (file: string, flags: string | number, mode?: number) => {
        const handle = await fs.open(file, flags, mode);
        if (file !== path) return handle;
        const stat = async () => Object.assign(await handle.stat(), { uid: uid + 1 });
        return {
          stat,
          read: handle.read.bind(handle),
          writeFile: handle.writeFile.bind(handle),
          sync: handle.sync.bind(handle),
          close: handle.close.bind(handle),
        };
      };
      assert.deepEqual(await storeWith({ fs: { ...fs, open } }).list(ALIAS), [good]);
    });
  });

  it("doesn't use a directory that others could have filled", posix, async () => {
    await mkdir(directory, { recursive: true });
    for (const mode of [0o720, 0o702, 0o777, 0o1777]) {
      await chmod(directory, mode);
      await assertUnavailable(fileStore({ directory }), "open to others");
    }
    await chmod(directory, 0o700);
    await assertUnavailable(storeWith({ uid: process.geteuid!() + 1 }), "another user");
    await symlink(directory, join(parent, "link"));
    await assertUnavailable(fileStore({ directory: join(parent, "link") }), "symbolic link");
    await fileStore({ directory }).put(ALIAS, await binding());
  });

  it("doesn't use a path that is, or leads through, a file", async () => {
    const path = join(parent, "file");
    await writeFile(path, "");
    await assertUnavailable(fileStore({ directory: path }), "no directory");
    await assertUnavailable(fileStore({ directory: join(path, "below") }), "ENOTDIR");
  });

  const failures: [FileOperation, string, boolean][] = [
    ["open", "ENOSPC", true],
    ["open", "EMFILE", true],
    ["writeFile", "ENOSPC", true],
    ["sync", "EIO", false],
    ["rename", "EROFS", false],
  ];
  for (const [operation, code, retryable] of failures) {
    it(`fails to put with store_unavailable and leaves nothing: ${code} in ${operation}`, async () => {
      const store = fileStore({ directory });
      await store.put(ALIAS, await binding(1));
      const before = await listing(directory);
      const failing = storeWith({ fs: failingFileSystem(operation, code) });
      const put = failing.put("another", await binding(2));
      await assertRejects(put, "store_unavailable", code, retryable);
      assert.deepEqual(await listing(directory), before);
      assert.equal((await store.list(ALIAS)).length, 1);
    });
  }

  const unreadable: [FileOperation, string, boolean][] = [
    ["lstat", "EACCES", false],
    ["readdir", "EACCES", false],
    ["open", "EMFILE", true],
    ["open", "EIO", false],
  ];
  for (const [operation, code, retryable] of unreadable) {
    it(`fails to list with store_unavailable and loses nothing: ${code} in ${operation}`, async () => {
      await fileStore({ directory }).put(ALIAS, await binding());
      const store = storeWith({ fs: failingFileSystem(operation, code) });
      await assertRejects(store.list(ALIAS), "store_unavailable", code, retryable);
      await assertRejects(store.evict(ALIAS), "store_unavailable", code, retryable);
      assert.equal((await fileStore({ directory }).list(ALIAS)).length, 1);
    });
  }

  it("sets a file aside that its own user may not read", async () => {
    const store = fileStore({ directory });
    await store.put(ALIAS, await binding());
    const locked = storeWith({ fs: failingFileSystem("open", "EACCES") });
    assert.deepEqual(await locked.list(ALIAS), []);
    const [name] = await listing(directory);
    assert.match(name!, /\.rejected$/);
  });

  it("refuses a directory without a name with invalid_argument", () => {
    for (const directory of ["", " ", "a\0b"]) {
      for (const make of [fileStore, fileKeyStorage]) {
        assert.throws(() => make({ directory }), (e) => isKeyboundError(e, "invalid_argument"));
      }
    }
  });

  it("fails to evict with store_unavailable and keeps what it couldn't remove", async () => {
    await fileStore({ directory }).put(ALIAS, await binding());
    const store = storeWith({ fs: failingFileSystem("unlink", "EACCES") });
    await assertRejects(store.evict(ALIAS), "store_unavailable", "EACCES", false);
    assert.equal((await store.list(ALIAS)).length, 1);
  });

  it("removes what processes that died left half-written, after an hour", async () => {
    const store = fileStore({ directory });
    await store.put(ALIAS, await binding(1));
    const leave = async (name: string, age: number) => {
      const path = join(directory, name);
      const time = (Date.now() - age) / 1000;
      await utimes(path, time, time);
    };
    await writeFile(join(directory, ".staging-1"), "half a key");
    await mkdir(join(directory, ".staging-2"));
    await writeFile(join(directory, ".staging-2", "held.x"), "");
    await writeFile(join(directory, ".staging-3"), "at work");
    await leave(".staging-1", HOUR + 60_000);
    await leave(".staging-2", HOUR + 60_000);
    await leave(".staging-3", HOUR - 60_000);
    await store.put(ALIAS, await binding(2));
    const staged = (await listing(directory)).filter((name) => name.startsWith(".staging"));
    assert.deepEqual(staged, [".staging-3"]);
  });

  async function assertUnavailable(store: CertStore, reason: string): Promise<void> {
    const stored = await binding();
    const attempts = [
      () => store.list(ALIAS),
      () => store.put(ALIAS, stored),
      () => store.evict(ALIAS),
      () => store.lock(ALIAS, () => assert.fail("The work ran.")),
    ];
    for (const attempt of attempts) {
      await assertRejects(attempt(), "store_unavailable", reason, false);
    }
  }
});

describe("fileKeyStorage", () => {
  useDirectory();

  const path = () => join(directory, "key-binding.pem");

  it("makes a directory and files that only their owner reads", posix, async () => {
    const umask = process.umask(0);
    try {
      await fileKeyStorage({ directory }).write("binding", KEY);
    } finally {
      process.umask(umask);
    }
    assert.equal(await modeOf(directory), 0o700);
    assert.equal(await modeOf(path()), 0o600);
    assert.equal(await readFile(path(), "utf8"), PEM);
  });

  it("finds a key that was put there by hand", async () => {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    await writeFile(path(), `# the binding's key\r\n${PEM}`, { mode: 0o600 });
    assert.deepEqual(await fileKeyStorage({ directory }).read("binding"), KEY);
  });

  it("keeps its files in its directory, whatever the id", async () => {
    const storage = fileKeyStorage({ directory });
    for (const id of ["../escape", "/etc/escape", "..", "", "a\0b", "A", "a", "\ud800"]) {
      await storage.write(id, KEY);
      assert.deepEqual(await storage.read(id), KEY);
    }
    const names = await listing(directory);
    assert.equal(names.length, 8);
    for (const name of names) assert.match(name, /^key-(a|%[0-9a-f]{64})\.pem$/);
    assert.deepEqual(await listing(parent), ["a"]);
    assert.deepEqual(await listing(join(parent, "a")), ["private"]);
  });

  it("has nothing to read or remove where there is no directory, and makes none", async () => {
    const storage = fileKeyStorage({ directory });
    assert.equal(await storage.read("binding"), undefined);
    await storage.remove("binding");
    assert.deepEqual(await listing(parent), []);
  });

  const unfit: [string, () => Promise<void>, { skip: boolean }?][] = [
    ["is empty", () => truncate(path(), 0)],
    ["was cut short", () => truncate(path(), 60)],
    ["isn't PEM", () => writeFile(path(), "garbage")],
    ["isn't UTF-8", () => writeFile(path(), Uint8Array.of(0xff))],
    ["is PEM of something else", () => writeFile(path(), encodePem("CERTIFICATE", KEY))],
    ["is an encrypted key", () => writeFile(path(), encodePem("ENCRYPTED PRIVATE KEY", KEY))],
    ["holds two keys", () => writeFile(path(), PEM + PEM)],
    ["is too large for a key", () => writeFile(path(), PEM + " ".repeat(16_384))],
    ["its group may read", () => chmod(path(), 0o640), posix],
    ["others may read", () => chmod(path(), 0o604), posix],
    ["is a symbolic link", async () => {
      await rename(path(), join(directory, "target"));
      await symlink(join(directory, "target"), path());
    }, posix],
  ];
  for (const [title, spoil, options = {}] of unfit) {
    it(
      `refuses a file that ${title} with key_file_invalid, until it is replaced`,
      options,
      async () => {
        const storage = fileKeyStorage({ directory });
        await storage.write("binding", KEY.toReversed());
        await spoil();
        const before = await listing(directory);
        await assertRejects(storage.read("binding"), "key_file_invalid", path(), false);
        assert.deepEqual(await listing(directory), before);
        await storage.write("binding", KEY);
        assert.deepEqual(await storage.read("binding"), KEY);
        if (!before.includes("target")) return;
        assert.notEqual(await readFile(join(directory, "target"), "utf8"), PEM);
      },
    );
  }

  it("refuses a file of another user with key_file_invalid", posix, async () => {
    const { fs } = hostSurroundings();
    await storageWith({}).write("binding", KEY);
    const uid = process.geteuid!() + 1;
    const lstatOwned = async (file: string) => {
      const status = await fs.lstat(file);
      return file === directory ? Object.assign(status, { uid }) : status;
    };
    const storage = storageWith({ uid, fs: { ...fs, lstat: lstatOwned } });
    await assertRejects(storage.read("binding"), "key_file_invalid", "another user", false);
  });

  it("says nothing of a key in the error about it", async () => {
    const storage = fileKeyStorage({ directory });
    await storage.write("binding", KEY);
    await writeFile(path(), PEM.slice(0, -20));
    await assert.rejects(storage.read("binding"), (error: KeyboundError) => {
      const said = `${error.stack} ${(error.cause as Error).stack}`;
      assert.ok(!said.includes("AAECAw"));
      return true;
    });
  });

  it("is unavailable in a directory that others could have filled", posix, async () => {
    await mkdir(directory, { recursive: true });
    await chmod(directory, 0o770);
    const storage = fileKeyStorage({ directory });
    const attempts = [
      () => storage.read("binding"),
      () => storage.write("binding", KEY),
      () => storage.remove("binding"),
    ];
    for (const attempt of attempts) {
      await assertRejects(attempt(), "key_provider_unavailable", "open to others", false);
    }
    assert.deepEqual(await listing(directory), []);
  });

  it("keeps the old key when the new one can't be written", async () => {
    await fileKeyStorage({ directory }).write("binding", KEY);
    for (const operation of ["open", "writeFile", "sync", "rename"] as const) {
      const storage = storageWith({ fs: failingFileSystem(operation, "ENOSPC") });
      const write = storage.write("binding", KEY.toReversed());
      await assertRejects(write, "key_provider_unavailable", "ENOSPC", true);
      assert.deepEqual(await fileKeyStorage({ directory }).read("binding"), KEY);
      assert.deepEqual(await listing(directory), ["key-binding.pem"]);
    }
  });

  it("never lets a reader see half a key", async () => {
    const storages = [fileKeyStorage({ directory }), fileKeyStorage({ directory })];
    const keys = [KEY, KEY.toReversed(), new Uint8Array(8_000)];
    await storages[0]!.write("binding", KEY);
    const readings = await Promise.all(Array.from({ length: 60 }, async (_, i) => {
      const storage = storages[i % 2]!;
      if (i % 4 === 0) await storage.write("binding", keys[i % 3]!);
      return await storage.read("binding");
    }));
    const known = new Set(keys.map(String));
    for (const reading of readings) assert.ok(known.has(String(reading)));
  });

  it("ends with the reason of an aborted signal", async () => {
    const reason = new Error("enough");
    const signal = AbortSignal.abort(reason);
    const storage = fileKeyStorage({ directory });
    const isReason = (error: unknown) => error === reason;
    await assert.rejects(storage.read("binding", { signal }), isReason);
    await assert.rejects(storage.write("binding", KEY, { signal }), isReason);
    await assert.rejects(storage.remove("binding", { signal }), isReason);
    assert.deepEqual(await listing(parent), []);
  });
});

/** A binding that lasts so many hours from now. */
async function binding(hours: number = 1): Promise<StoredBinding> {
  const { der: certificate } = await issueCertificate({ notAfter: Date.now() + hours * HOUR });
  return { certificate, endpoint: "https://mtlsauth.example/tenant", clientId: "client-id" };
}

function base64Of({ certificate }: StoredBinding): string {
  return btoa(String.fromCharCode(...certificate));
}

/** The names in a directory, sorted: not every runtime does. */
async function listing(path: string): Promise<string[]> {
  return (await readdir(path)).sort();
}

async function modeOf(path: string): Promise<number> {
  return (await lstat(path)).mode & 0o7777;
}

/** Rejected with this code, a reason in its message, and a cause. */
async function assertRejects(
  promise: Promise<unknown>,
  code: ErrorCode,
  reason: string,
  retryable: boolean,
): Promise<void> {
  await assert.rejects(promise, (error) => {
    assert.ok(error instanceof KeyboundError);
    assert.equal(error.code, code);
    assert.ok(error.message.includes(reason), error.message);
    assert.equal(error.retryable, retryable);
    return true;
  });
}
