/**
 * Access to the host as it is: files of an agent, and TLS to servers known by their thumbprints.
 *
 * @module
 */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { chmod, chown, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { type AddressInfo, createServer as createTcpServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, before, describe, it } from "node:test";
import { createServer as createTlsServer, type TLSSocket } from "node:tls";
import { hostAccess } from "../../backends/host/mod.ts";
import { managedIdentitySources } from "../../src/sources/mod.ts";
import type { TlsVersion } from "../../src/transports.ts";
import {
  issueCertificate,
  type IssuedCertificate,
  newKeys,
  privateKeyPem,
} from "../support/certificates.ts";
import { startTlsServers } from "../support/tls_servers.ts";
import { until } from "../support/waiting.ts";
import { query } from "../sources/support/fake_host.ts";

const VERSIONS: readonly TlsVersion[] = ["TLSv1.2", "TLSv1.3"];

/** What a server of a test saw. */
interface PinnedServer {
  readonly url: string;
  /** Whole requests. */
  readonly received: string[];
  /** What came and isn't a whole request. */
  readonly strays: () => string[];
  readonly closed: () => number;
  readonly close: () => Promise<void>;
}

/** A TLS server in this process, whose certificate names another host and whose authority is none. */
async function serve(
  certificate: IssuedCertificate,
  version: TlsVersion,
  answer: (request: string, socket: TLSSocket) => void,
): Promise<PinnedServer> {
  const received: string[] = [];
  const strays = new Map<TLSSocket, string>();
  let closed = 0;
  const sockets = new Set<TLSSocket>();
  const server = createTlsServer({
    cert: certificate.pem,
    key: await privateKeyPem(certificate.keys!),
    minVersion: version,
    maxVersion: version,
  }, (socket) => {
    sockets.add(socket);
    let request = "";
    socket.on("error", () => {});
    socket.on("close", () => closed++);
    socket.on("data", (chunk) => {
      request += chunk;
      strays.set(socket, request);
      const [, length = "0"] = /content-length: (\d+)/i.exec(request) ?? [];
      const head = request.indexOf("\r\n\r\n") + 4;
      if (head < 4 || request.length < head + Number(length)) return;
      strays.delete(socket);
      received.push(request);
      answer(request, socket);
    });
  });
  server.on("tlsClientError", () => {});
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}/token?a=b`,
    received,
    strays: () => [...strays.values()],
    closed: () => closed,
    close() {
      for (const socket of sockets) socket.destroy();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

function sha1(der: Uint8Array): string {
  return createHash("sha1").update(der).digest("hex");
}

const OK = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nset-cookie: a=1\r\nset-cookie: b=2\r\n\r\nhi";

describe("a pinned fetch", () => {
  const { pinnedFetch } = hostAccess();
  let certificate: IssuedCertificate;
  let pin: string;
  before(async () => {
    certificate = await issueCertificate({ hosts: ["elsewhere.example"] });
    pin = sha1(certificate.der);
  });

  it("refuses text that is no thumbprint, and a URL that isn't https", async () => {
    for (const text of ["", pin.slice(1), `${pin}0`, `g${pin.slice(1)}`, `${pin}\n`]) {
      assert.throws(() => pinnedFetch(text), { code: "invalid_argument" });
    }
    await assert.rejects(pinnedFetch(pin)("http://127.0.0.1:1/"), { code: "invalid_argument" });
  });

  for (const version of VERSIONS) {
    it(`over ${version} sends nothing to a server with another certificate`, async (t) => {
      const server = await serve(certificate, version, (_request, socket) => socket.end(OK));
      t.after(server.close);
      const other = `${pin.slice(0, -1)}${pin.endsWith("0") ? "1" : "0"}`;
      await assert.rejects(
        pinnedFetch(other)(server.url, { headers: { secret: "s" } }),
        { code: "tls_server_untrusted" },
      );
      // A later request has come: whatever went before it would have come too.
      await (await pinnedFetch(pin)(server.url, { headers: { secret: "later" } })).text();
      assert.equal(server.received.length, 1);
      assert.match(server.received[0]!, /secret: later/i);
      assert.deepEqual(server.strays(), []);
    });

    it(`over ${version} takes the one certificate, whoever issued it for whatever name`, async (t) => {
      const server = await serve(certificate, version, (_request, socket) => socket.end(OK));
      t.after(server.close);
      for (const written of [pin, pin.toUpperCase()]) {
        const response = await pinnedFetch(written)(server.url, { headers: { secret: "s3" } });
        assert.equal(response.status, 200);
        assert.equal(await response.text(), "hi");
        assert.deepEqual(response.headers.getSetCookie(), ["a=1", "b=2"]);
      }
      assert.equal(server.received.length, 2);
      assert.match(server.received[0]!, /^GET \/token\?a=b HTTP\/1\.1\r\n/);
      assert.match(server.received[0]!, /\r\nsecret: s3\r\n/i);
      assert.match(server.received[0]!, /\r\nhost: 127\.0\.0\.1:\d+\r\n/i);
    });

    it(`over ${version} refuses a server with the certificate but not its key`, async (t) => {
      const cert = certificate.pem;
      const key = await forgedKeyPem(certificate);
      const servers = await startTlsServers({
        thief: { kind: "tls", cert, key, version, await: "request", send: OK, close: "fin" },
        owner: {
          kind: "tls",
          cert,
          key: await privateKeyPem(certificate.keys!),
          version,
          await: "request",
          send: OK,
          close: "fin",
        },
      });
      t.after(() => servers.close());
      await assert.rejects(pinnedFetch(pin)(servers.url("thief")));
      const response = await pinnedFetch(pin)(servers.url("owner"));
      assert.equal(await response.text(), "hi");
    });
  }

  it("sends a body with its length", async (t) => {
    const server = await serve(certificate, "TLSv1.3", (_request, socket) => socket.end(OK));
    t.after(server.close);
    const body = "resource=x";
    const response = await pinnedFetch(pin)(server.url, { method: "POST", body });
    assert.equal(await response.text(), "hi");
    assert.match(server.received[0]!, /^POST [^]*\r\n\r\nresource=x$/);
  });

  it("gives a redirect as it is", async (t) => {
    const server = await serve(
      certificate,
      "TLSv1.3",
      (_request, socket) =>
        socket.end("HTTP/1.1 302 Found\r\nlocation: /x\r\ncontent-length: 0\r\n\r\n"),
    );
    t.after(server.close);
    const response = await pinnedFetch(pin)(server.url);
    assert.equal(response.status, 302);
    assert.equal(response.headers.get("location"), "/x");
    await response.text();
    assert.equal(server.received.length, 1);
  });

  it("gives an answer without a body", async (t) => {
    const server = await serve(
      certificate,
      "TLSv1.3",
      (_request, socket) => socket.end("HTTP/1.1 204 No Content\r\n\r\n"),
    );
    t.after(server.close);
    const response = await pinnedFetch(pin)(server.url);
    assert.equal(response.status, 204);
    assert.equal(await response.text(), "");
  });

  it("fails where the answer never comes or is cut short", async (t) => {
    for (const part of ["", "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhi"]) {
      const server = await serve(certificate, "TLSv1.3", (_request, socket) => {
        if (part === "") socket.destroy();
        else socket.end(part);
      });
      t.after(server.close);
      await assert.rejects(async () => await (await pinnedFetch(pin)(server.url)).text());
    }
  });

  it("fails where nobody listens", async () => {
    const server = createTcpServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    await new Promise((resolve) => server.close(resolve));
    await assert.rejects(pinnedFetch(pin)(`https://127.0.0.1:${port}/`));
  });

  it("ends with the signal's reason, at whatever point", async (t) => {
    const reason = new Error("no longer wanted");
    await assert.rejects(
      pinnedFetch(pin)("https://127.0.0.1:1/", { signal: AbortSignal.abort(reason) }),
      reason,
    );

    // Before the connection is secure.
    let connected = 0;
    const mute = createTcpServer((socket) => {
      connected++;
      socket.on("error", () => {}).resume();
    }).listen(0, "127.0.0.1");
    await once(mute, "listening");
    t.after(() => new Promise((resolve) => mute.close(resolve)));
    const first = new AbortController();
    const url = `https://127.0.0.1:${(mute.address() as AddressInfo).port}/`;
    const handshaking = pinnedFetch(pin)(url, { signal: first.signal });
    handshaking.catch(() => {});
    await until(() => connected === 1);
    first.abort(reason);
    await assert.rejects(handshaking, reason);

    // Before the answer.
    const silent = await serve(certificate, "TLSv1.3", () => {});
    t.after(silent.close);
    const second = new AbortController();
    const waiting = pinnedFetch(pin)(silent.url, { signal: second.signal });
    waiting.catch(() => {});
    await until(() => silent.received.length === 1);
    second.abort(reason);
    await assert.rejects(waiting, reason);
    await until(() => silent.closed() === 1);

    // Within the body.
    const slow = await serve(certificate, "TLSv1.3", (_request, socket) => {
      socket.write("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhi");
    });
    t.after(slow.close);
    const third = new AbortController();
    const response = await pinnedFetch(pin)(slow.url, { signal: third.signal });
    const reading = response.text();
    reading.catch(() => {});
    third.abort(reason);
    await assert.rejects(reading);
    await until(() => slow.closed() === 1);
  });

  it("lets go of a connection whose answer isn't read", async (t) => {
    const server = await serve(certificate, "TLSv1.3", (_request, socket) => {
      socket.write("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhi");
    });
    t.after(server.close);
    const response = await pinnedFetch(pin)(server.url);
    await response.body!.cancel();
    await until(() => server.closed() === 1);
  });

  it("gets a token of Service Fabric, and nothing from an impostor", async (t) => {
    const server = await serve(certificate, "TLSv1.2", (_request, socket) => {
      const body = '{"access_token":"t","expires_on":"3600"}';
      socket.end(`HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
    });
    t.after(server.close);
    const sources = (thumbprint: string) =>
      managedIdentitySources({
        environment: {
          IDENTITY_ENDPOINT: server.url,
          IDENTITY_HEADER: "s3",
          IDENTITY_SERVER_THUMBPRINT: thumbprint,
        },
        host: hostAccess(),
      });
    const answer = await sources(pin.toUpperCase()).token(query());
    assert.deepEqual([answer.accessToken, answer.source], ["t", "ServiceFabric"]);
    await assert.rejects(sources("00".repeat(20)).token(query()), {
      code: "tls_server_untrusted",
      source: "ServiceFabric",
    });
    assert.equal(server.received.length, 1);
  });
});

/** The private key of somebody else, in the guise of this certificate's. */
async function forgedKeyPem({ keys }: IssuedCertificate): Promise<string> {
  const pkcs8 = async ({ privateKey }: CryptoKeyPair) =>
    new Uint8Array(await crypto.subtle.exportKey("pkcs8", privateKey));
  const forged = await pkcs8(await newKeys());
  // Where the public half is written down, TLS stacks take it from there (RFC 5915).
  forged.set((await pkcs8(keys!)).subarray(-65), forged.length - 65);
  const lines = Buffer.from(forged).toString("base64").match(/.{1,64}/g)!.join("\n");
  return `-----BEGIN PRIVATE KEY-----\n${lines}\n-----END PRIVATE KEY-----\n`;
}

if (process.platform !== "win32") {
  describe("a secret file", () => {
    const { exists, readSecretFile } = hostAccess();
    let root: string;
    let folder: string;
    before(async () => {
      root = await mkdtemp(join(tmpdir(), "keybound-host-"));
      folder = join(root, "tokens");
      await mkdir(folder, { mode: 0o755 });
    });
    after(() => rm(root, { recursive: true }));

    async function file(name: string, content: string | Uint8Array, mode = 0o640) {
      const path = join(folder, name);
      await writeFile(path, content);
      await chmod(path, mode);
      return path;
    }

    it("is read whole, up to its largest size", async () => {
      assert.equal(await readSecretFile(await file("a.key", "secret\n"), 4096), "secret\n");
      assert.equal(await readSecretFile(await file("empty.key", ""), 4096), "");
      const largest = "k".repeat(4096);
      assert.equal(await readSecretFile(await file("b.key", largest), 4096), largest);
      await assert.rejects(readSecretFile(await file("c.key", `${largest}k`), 4096), /larger/);
    });

    it("that isn't there or isn't text is refused", async () => {
      await assert.rejects(readSecretFile(join(folder, "none.key"), 10), { code: "ENOENT" });
      const bytes = new Uint8Array([0xff, 0xfe]);
      await assert.rejects(readSecretFile(await file("d.key", bytes), 10), {
        code: "invalid_encoding",
      });
    });

    it("that is a link, a folder or a pipe is refused", async () => {
      const target = await file("e.key", "secret");
      const link = join(folder, "link.key");
      await symlink(target, link);
      await assert.rejects(readSecretFile(link, 10), /not a regular/);
      await assert.rejects(readSecretFile(folder, 10), /not a regular/);
      await assert.rejects(readSecretFile("/dev/zero", 10), /not a regular/);
      const pipe = join(folder, "pipe.key");
      execFileSync("mkfifo", [pipe]);
      await assert.rejects(readSecretFile(pipe, 10), /not a regular/);
    });

    it("in a folder that is a link is refused", async () => {
      await file("f.key", "secret");
      const link = join(root, "link");
      await symlink(folder, link);
      await assert.rejects(readSecretFile(join(link, "f.key"), 10), /symbolic link/);
    });

    it("that everybody may write, or whose folder, is refused", async () => {
      await assert.rejects(readSecretFile(await file("g.key", "secret", 0o646), 10), /Everybody/);
      const path = await file("h.key", "secret");
      await chmod(folder, 0o1777);
      await assert.rejects(readSecretFile(path, 10), /Everybody/);
      await chmod(folder, 0o755);
      assert.equal(await readSecretFile(path, 10), "secret");
    });

    if (process.geteuid?.() === 0) {
      it("of another owner than its folder's is refused, but for root's", async () => {
        const path = await file("i.key", "secret");
        await chown(path, 12345, 0);
        await assert.rejects(readSecretFile(path, 10), /owner/);
        await chown(folder, 12345, 0);
        assert.equal(await readSecretFile(path, 10), "secret");
        await chown(path, 0, 0);
        assert.equal(await readSecretFile(path, 10), "secret");
        await chown(path, 54321, 0);
        await assert.rejects(readSecretFile(path, 10), /owner/);
        await chown(folder, 0, 0);
      });
    }

    it("exists as a file, not as a folder", async () => {
      assert.equal(await exists(await file("j.key", "")), true);
      assert.equal(await exists(folder), false);
      assert.equal(await exists(join(folder, "none")), false);
      assert.equal(await exists(join(folder, "j.key", "none")), false);
    });
  });
}

describe("the platform", () => {
  it("is the one this runs on", () => {
    const names: Record<string, string> = { linux: "linux", win32: "windows" };
    assert.equal(hostAccess().platform, names[process.platform] ?? "other");
  });
});
