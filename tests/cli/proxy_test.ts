/**
 * `keybound proxy`, against the emulator.
 *
 * @module
 */

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFile, stat, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { connect } from "node:net";
import { join } from "node:path";
import process from "node:process";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import { promisify } from "node:util";
import { claimsChallenge } from "../../emulator/mod.ts";
import { type RunningProxy, send, type Stage, stage } from "./support/proxy.ts";
import { keybound } from "./support/program.ts";

let scene: Stage;
before(async () => {
  scene = await stage();
});
after(() => scene.close());
beforeEach(() => scene.emulator.reset());

let open: RunningProxy[] = [];
afterEach(async () => {
  for (const { running } of open) await running.stop();
  open = [];
});
const start = async (...args: string[]) => {
  const proxy = await scene.proxy(...args);
  open.push(proxy);
  return proxy;
};

describe("a stranger at the proxy", () => {
  it("gets 401 and costs nothing: no token, no connection, whatever is asked", async () => {
    const { ready: { url }, running } = await start();
    const counts = await scene.emulator.counts();
    const body = "x".repeat(200_000);
    for (const headers of [{}, { "keybound-secret": "guess" }, { expect: "100-continue" }]) {
      for (const method of ["GET", "POST", "DELETE"]) {
        const sent = { headers, method, ...(method === "POST" ? { body } : {}) };
        const answer = await send(`${url}/x`, sent).catch(() => undefined);
        // Who goes on sending may find the connection closed before the answer is read.
        if (method !== "POST") assert.equal(answer?.status, 401);
        if (answer !== undefined) {
          assert.equal(answer.status, 401);
          assert.match(answer.headers["www-authenticate"] ?? "", /^Basic realm=/);
          assert.equal(answer.headers["keybound-error"], "secret_required");
        }
      }
    }
    assert.deepEqual(await scene.emulator.counts(), counts);
    assert.match(await running.note(/401/), /401 {2}GET \/x {2}\d+ ms secret_required$/);
  });

  it("gets no tunnel and no upgrade, as nobody does", async () => {
    const { ready: { url, secret } } = await start();
    const counts = await scene.emulator.counts();
    const { host, port } = new URL(url);
    const raw = (text: string) =>
      new Promise<string>((resolve, reject) => {
        const socket = connect(Number(port), "127.0.0.1", () => socket.write(text));
        let answer = "";
        socket.setEncoding("latin1").on("data", (part: string) => answer += part);
        socket.once("close", () => resolve(answer)).once("error", reject);
      });
    const headers = `Host: ${host}\r\nKeybound-Secret: ${secret}\r\n`;
    const own = `${headers}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n`;
    assert.match(await raw(`GET / HTTP/1.1\r\n${own}`), /^HTTP\/1\.1 501 /);
    const tunnel = await raw(`CONNECT evil.example:443 HTTP/1.1\r\n${headers}\r\n`);
    assert.match(tunnel, /^HTTP\/1\.1 (4\d\d|501) /);
    const closed = `${headers}Connection: close\r\n\r\n`;
    const absolute = await raw(`GET http://evil.example/ HTTP/1.1\r\n${closed}`);
    assert.match(absolute, /^HTTP\/1\.1 4\d\d /);
    assert.deepEqual(await scene.emulator.counts(), counts);
  });
});

describe("a request through the proxy", () => {
  it("has token and certificate, and nothing of the caller's identity", async () => {
    const { ready: { url, secret }, running } = await start();
    const answer = await send(`${url}/items/i?api-version=7.4`, {
      headers: {
        "keybound-secret": secret,
        authorization: "Bearer of-the-caller",
        "x-ms-client-request-id": "mine",
      },
    });
    assert.equal(answer.status, 200);
    const { path, thumbprint } = JSON.parse(answer.body);
    assert.equal(path, "/items/i");
    assert.match(thumbprint, /^[\w-]{43}$/);
    const [seen] = await scene.emulator.requests("resource");
    assert.equal(seen!.authorizationScheme, "mtls_pop");
    assert.equal(seen!.query["api-version"], "7.4");
    assert.equal(seen!.headers["keybound-secret"], undefined);
    assert.equal(seen!.correlationId, "mine");
    assert.match(await running.note(/200/), /200 {2}GET \/items\/i {2}\d+ ms$/);
    const { output, complaint } = await running.stop();
    assert.ok(!/eyJ[\w-]+\.|PRIVATE KEY|of-the-caller|api-version/.test(output + complaint));
    assert.ok(!complaint.includes(secret), "the secret is in the line that reveals it only");
  });

  it("may carry the secret as a password, as browsers do", async () => {
    const { ready: { url, secret } } = await start();
    const { status } = await send(`${url}/`, { auth: `me:${secret}` });
    assert.equal(status, 200);
  });

  it("keeps status, headers and an empty body as they are", async () => {
    const { ready: { url, secret } } = await start();
    const headers = { "keybound-secret": secret };
    await scene.emulator.script("resource", {
      kind: "respond",
      status: 418,
      headers: { "x-odd": "1", "set-cookie": "a=1" },
      body: "short",
    });
    const odd = await send(`${url}/`, { headers });
    assert.deepEqual([odd.status, odd.headers["x-odd"], odd.body], [418, "1", "short"]);
    assert.deepEqual(odd.headers["set-cookie"], ["a=1"]);
    const head = await send(`${url}/`, { headers, method: "HEAD" });
    assert.deepEqual([head.status, head.body], [200, ""]);
    assert.ok(Number(head.headers["content-length"]) > 0);
    await scene.emulator.script("resource", { kind: "respond", status: 204 });
    assert.equal((await send(`${url}/`, { headers, method: "DELETE" })).status, 204);
    const redirect = { kind: "respond", status: 307, headers: { location: "https://b.example/" } };
    await scene.emulator.script("resource", redirect as never);
    const moved = await send(`${url}/`, { headers });
    assert.deepEqual([moved.status, moved.headers.location], [307, "https://b.example/"]);
  });

  it("stays below the upstream's path", async () => {
    const { ready: { url, secret } } = await start("--upstream", `${scene.emulator.resource}/base`);
    const headers = { "keybound-secret": secret };
    assert.equal(JSON.parse((await send(`${url}/x`, { headers })).body).path, "/base/x");
    const outside = await send(url, { headers, path: "/%2e%2e/x" });
    assert.deepEqual([outside.status, outside.headers["keybound-error"]], [400, "invalid_target"]);
  });

  it("is healed: a revoked certificate, and a challenge to a request with a body", async () => {
    const { ready: { url, secret } } = await start();
    const headers = { "keybound-secret": secret };
    const first = JSON.parse((await send(`${url}/`, { headers })).body);
    const challenge = claimsChallenge({ access_token: { nbf: { essential: true, value: "1" } } });
    await scene.emulator.revoke({ issued: true });
    await scene.emulator.script("resource", challenge);
    const again = await send(`${url}/echo`, { headers, method: "POST", body: "twice" });
    assert.deepEqual([again.status, again.body], [200, "twice"]);
    const healed = JSON.parse((await send(`${url}/`, { headers })).body);
    assert.notEqual(healed.thumbprint, first.thumbprint);
    assert.equal((await scene.emulator.counts()).issuecredential, 2);
  });

  it("gets 502 with the library's code where there is no token or no upstream", async () => {
    const { ready: { url, secret } } = await start("--upstream", "https://127.0.0.1:9");
    const answer = await send(`${url}/`, { headers: { "keybound-secret": secret } });
    assert.equal(answer.status, 502);
    assert.equal(answer.headers["keybound-error"], "network_unreachable");
    assert.deepEqual(Object.keys(JSON.parse(answer.body)), ["error", "message"]);
    await scene.emulator.set({ v1Only: true });
    const other = await start();
    const refused = await send(`${other.ready.url}/`, {
      headers: { "keybound-secret": other.ready.secret },
    });
    assert.equal(refused.headers["keybound-error"], "mtls_pop_token_not_supported_in_imds_v1");
  });

  it("is cut short where the upstream's answer is", async () => {
    const { ready: { url, secret } } = await start();
    await scene.emulator.script("resource", { kind: "truncate", after: 10, how: "reset" });
    await assert.rejects(send(`${url}/`, { headers: { "keybound-secret": secret } }));
  });

  it("ends upstream when its client leaves", async () => {
    const { ready: { url, secret }, running } = await start();
    const headers = { "keybound-secret": secret };
    assert.equal((await send(`${url}/`, { headers })).status, 200);
    await scene.emulator.script("resource", { kind: "hang" });
    const outgoing = request(`${url}/hang`, { headers, agent: false });
    outgoing.on("error", () => {}).end();
    while ((await scene.emulator.counts()).resource < 2) await new Promise(setImmediate);
    outgoing.destroy();
    assert.match(await running.note(/hang/), /client_left$/);
  });
});

describe("the proxy's secret", () => {
  it("is new at each start, in a file of mode 0600 that goes with the proxy", async () => {
    const path = join(scene.directory, "secret");
    await writeFile(path, "stale", { mode: 0o644 });
    const { running, ready } = await start("--secret-file", path);
    const line = await readFile(path, "utf8");
    assert.match(line, /^keybound-secret: [\w-]{43}\n$/);
    if (process.platform !== "win32") assert.equal((await stat(path)).mode & 0o777, 0o600);
    const secret = line.trim().split(": ")[1]!;
    const answer = await send(`${ready.url}/`, { headers: { "keybound-secret": secret } });
    assert.equal(answer.status, 200);
    const { output, complaint } = await running.stop();
    assert.ok(!(output + complaint).includes(secret));
    await assert.rejects(stat(path), { code: "ENOENT" });
    const next = await start();
    assert.notEqual(next.ready.secret, secret);
  });

  it("isn't needed at a socket, which is of mode 0600 from its first moment", async () => {
    if (process.platform === "win32") return;
    const path = join(scene.directory, "socket");
    const { running, ready } = await start("--socket", path);
    assert.equal(ready.secret, undefined);
    const { mode } = await stat(path);
    assert.equal(mode & 0o777, 0o600);
    assert.equal((await send(undefined, { socketPath: path, path: "/" })).status, 200);
    const second = await keybound([
      ...["proxy", "--resource", "https://vault.azure.net", "--upstream", scene.emulator.resource],
      ...["--socket", path],
    ]);
    assert.deepEqual([second.code, second.output], [1, ""]);
    assert.equal((await running.stop()).code, 0);
    await assert.rejects(stat(path), { code: "ENOENT" });
  });

  it("is taken from its file by curl, as the documentation shows", async () => {
    const curl = promisify(execFile);
    if (!await curl("curl", ["--version"]).then(() => true, () => false)) return;
    const document = await readFile(new URL("../../docs/proxy.md", import.meta.url), "utf8");
    const path = join(scene.directory, "proxy-secret");
    const { running, ready } = await start("--secret-file", path);
    const [, command = ""] = /^(curl -H @.*)$/m.exec(document) ?? [];
    const args = command
      .replace("./proxy-secret", path)
      .replace(/http:\/\/127\.0\.0\.1:\d+/, ready.url)
      .replace("/secrets/", "/items/")
      .replaceAll("'", "").split(" ").slice(1);
    const { stdout } = await curl("curl", ["-s", ...args]);
    assert.equal(JSON.parse(stdout).path, "/items/s");
    await running.stop();
  });
});
