/**
 * `keybound emulator`: its settings, what it says, and its fixed ports.
 *
 * @module
 */

import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { UsageError } from "../../cli/command.ts";
import { followRequests, requestLine } from "../../cli/emulator/request_log.ts";
import { readSettings, SETTINGS } from "../../cli/emulator/settings.ts";
import { painter } from "../../cli/style.ts";
import { connectEmulator } from "../../emulator/mod.ts";
import type { RequestRecord } from "../../emulator/traffic.ts";
import { keybound, startKeybound } from "./support/program.ts";

let directory: string;
before(async () => {
  directory = await mkdtemp(join(tmpdir(), "keybound-cli-emulator-"));
});
after(() => rm(directory, { recursive: true, force: true }));

const RECORD: RequestRecord = {
  sequence: 1,
  time: 0,
  endpoint: "token",
  method: "POST",
  path: "/t/oauth2/v2.0/token",
  query: {},
  headers: {},
  authorizationScheme: null,
  fields: {},
  correlationId: null,
  thumbprint: "abcdefghijkl",
  tlsVersion: "TLSv1.2",
  connection: 1,
  reusedConnection: false,
  step: null,
  status: 200,
};

describe("the settings of the emulator", () => {
  const inFile = async (config: unknown) => {
    const path = join(directory, "config.json");
    await writeFile(path, JSON.stringify(config));
    return path;
  };

  it("come from the flag before the variable, before the file, before the default", async () => {
    const config = await inFile({
      ports: { metadata: 1001, mtls: 1002, resource: 1003 },
      state: { tokenLifetime: 1, certificateLifetime: 2, clockOffset: 3 },
      history: 7,
    });
    const settings = await readSettings(
      { config, "metadata-port": "2001", "token-lifetime": "10m" },
      {
        KEYBOUND_EMULATOR_METADATA_PORT: "3001",
        KEYBOUND_EMULATOR_MTLS_PORT: "3002",
        KEYBOUND_EMULATOR_TOKEN_LIFETIME: "1h",
        KEYBOUND_EMULATOR_CERTIFICATE_LIFETIME: "1h",
      },
    );
    assert.deepEqual(settings, {
      history: 7,
      ports: { metadata: 2001, mtls: 3002, resource: 1003 },
      state: { tokenLifetime: 600_000, certificateLifetime: 3_600_000, clockOffset: 3 },
    });
  });

  it("come from the file that the environment names, and are none without any", async () => {
    const config = await inFile({ state: { v1Only: true } });
    const settings = await readSettings({}, { KEYBOUND_EMULATOR_CONFIG: config });
    assert.deepEqual(settings, { ports: {}, state: { v1Only: true } });
    assert.deepEqual(await readSettings({}, {}), { ports: {}, state: {} });
  });

  it("are refused where they aren't understood, each by its name", async () => {
    const refused: [Record<string, string>, Record<string, string>, RegExp][] = [
      [{}, { KEYBOUND_EMULATOR_V1_ONLY: "1" }, /KEYBOUND_EMULATOR_V1_ONLY/],
      [{ revocation: "never" }, {}, /--revocation/],
      [{ config: await inFile([]) }, {}, /no JSON object/],
    ];
    for (const [values, environment, message] of refused) {
      await assert.rejects(readSettings(values, environment), (error) => {
        assert.ok(error instanceof UsageError);
        assert.match(error.message, message);
        return true;
      });
    }
    const configs = [
      { state: { v1only: true } },
      { state: [] },
      { ports: { web: 1 } },
      { ports: { admin: 70_000 } },
      { ports: { admin: 4001, mtls: 4001 } },
      { ports: 1 },
      { a: 1 },
    ];
    for (const config of configs) {
      const values = { config: await inFile(config) };
      await assert.rejects(
        readSettings(values, {}),
        { name: "UsageError" },
        JSON.stringify(config),
      );
    }
  });

  it("are shown as they come out", async () => {
    const args = [
      "emulator",
      "--print-config",
      "--admin-port",
      "4001",
      "--token-refresh-in",
      "none",
    ];
    const { code, output } = await keybound(args);
    assert.equal(code, 0);
    assert.deepEqual(JSON.parse(output), {
      ports: { admin: 4001 },
      state: { tokenRefreshIn: null },
    });
  });

  it("are in the help and in the documentation, all of them", async () => {
    const { output } = await keybound(["emulator", "--help"]);
    const document = await readFile(new URL("../../docs/emulator.md", import.meta.url), "utf8");
    for (const { flag, variable } of SETTINGS) {
      assert.ok(output.includes(`--${flag} <`), flag);
      assert.ok(document.includes(`\`--${flag}\``), `docs/emulator.md: ${flag}`);
      assert.match(variable, /^KEYBOUND_EMULATOR_[A-Z0-9_]+$/);
    }
  });
});

describe("the log of requests", () => {
  it("has one line a request, which can't upset a terminal", () => {
    const paint = painter(false);
    assert.equal(
      requestLine(RECORD, paint),
      "00:00:00.000  200 token                POST /t/oauth2/v2.0/token  certificate abcdefgh",
    );
    const odd = {
      ...RECORD,
      path: "/\x1b[2J",
      status: null,
      step: "hang" as const,
      thumbprint: null,
    };
    assert.equal(
      requestLine(odd, paint),
      "00:00:00.000  --- token                POST /?[2J  scripted: hang",
    );
  });

  it("tells of each request once, in order, and of an unanswered one when it ends", async () => {
    const ending = new AbortController();
    const records = [RECORD, { ...RECORD, sequence: 2, status: null, time: Date.now() }];
    const told: number[] = [];
    let looks = 0;
    const emulator = {
      counts: () => Promise.resolve({ token: looks } as never),
      requests() {
        looks += 1;
        if (looks === 3) ending.abort();
        return Promise.resolve(records);
      },
    };
    await followRequests(emulator, ({ sequence }) => void told.push(sequence), ending.signal);
    assert.deepEqual(told, [1, 2]);
  });
});

/** A port that was free a moment ago. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

describe("keybound emulator", () => {
  it("ends with 1 for a port that is taken", async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
    const { port } = taken.address() as AddressInfo;
    const { code, output, complaint } = await keybound(["emulator", "--mtls-port", `${port}`]);
    await new Promise((resolve) => taken.close(resolve));
    assert.equal(code, 1);
    assert.equal(output, "");
    assert.match(complaint, new RegExp(`invalid_argument: Port ${port} is taken`));
  });

  it("is ready for a token at fixed ports, logs the requests and ends when it is told to", async () => {
    const [metadata, mtls] = [await freePort(), await freePort()];
    const tls = join(directory, "tls");
    const running = startKeybound([
      "emulator",
      ...["--metadata-port", `${metadata}`, "--mtls-port", `${mtls}`, "--tls-dir", tls],
    ]);
    const exported = await running.line(/^export AZURE_POD_IDENTITY_AUTHORITY_HOST=/);
    const authority = await running.line(/^export KEYBOUND_CA=/);
    const environment = Object.fromEntries(
      [exported, authority].map((line) =>
        line.replace("export ", "").split("=") as [string, string]
      ),
    );
    assert.equal(environment["AZURE_POD_IDENTITY_AUTHORITY_HOST"], `http://127.0.0.1:${metadata}`);
    assert.match(running.lines.join("\n"), new RegExp(`token +https://127.0.0.1:${mtls}$`, "m"));
    const token = await keybound(["token", "--resource", "https://vault.azure.net"], {
      environment,
    });
    assert.equal(token.code, 0, token.complaint);
    assert.equal((await keybound(["doctor"], { environment })).code, 0);
    assert.match(await running.note(/issuecredential/), /200 issuecredential +POST \/metadata/);
    assert.match(await running.note(/ token /), /POST \/.*certificate [\w-]{8}$/);
    const { code, output, complaint } = await running.stop();
    assert.equal(code, 0);
    assert.ok(!/eyJ[\w-]+\.|PRIVATE KEY/.test(output + complaint));
    assert.match(await readFile(join(tls, "ca.pem"), "utf8"), /^-----BEGIN CERTIFICATE-----/);
  });

  it("says in one line of JSON where it is, without secrets unless told to reveal them", async () => {
    const running = startKeybound(["emulator", "--json", "--v1-only", "true"]);
    const ready = JSON.parse(await running.line(/^\{"ready":true/));
    assert.deepEqual(Object.keys(ready.admin), ["url"]);
    assert.deepEqual(Object.keys(ready.sources.appservice), ["IDENTITY_ENDPOINT"]);
    assert.deepEqual(Object.keys(ready.sources.machinelearning), [
      "MSI_ENDPOINT",
      "DEFAULT_IDENTITY_CLIENT_ID",
    ]);
    await new Promise((resolve) =>
      request(ready.metadata, (answer) => {
        answer.resume().on("end", resolve);
      }).end()
    );
    const logged = JSON.parse(await running.line(/^\{"request":/));
    assert.equal(logged.request.endpoint, "unknown");
    assert.equal((await running.stop()).code, 0);
  });

  it("is controlled by who was given its secret, at its fixed port", async () => {
    const port = await freePort();
    const running = startKeybound(["emulator", "--json", "--reveal", "--admin-port", `${port}`]);
    const { admin, sources } = JSON.parse(await running.line(/^\{"ready":true/));
    assert.equal(admin.url, `http://127.0.0.1:${port}`);
    assert.match(sources.appservice.IDENTITY_HEADER, /^[\w-]{16,}$/);
    const emulator = await connectEmulator(admin);
    await emulator.set({ v1Only: true });
    assert.equal((await emulator.state()).v1Only, true);
    await running.stop();
    await assert.rejects(emulator.state(), { code: "network_unreachable" });
  });
});
