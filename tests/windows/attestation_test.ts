/**
 * Attestation of KeyGuard keys: the native library, simulated, and what it logs (protocol.md
 * sections 5.2 to 5.5).
 *
 * @module
 */

import assert from "node:assert/strict";
import process from "node:process";
import { describe, it } from "node:test";
import { setImmediate } from "node:timers";
import {
  describeAttestationCode,
  isAttestationRetryable,
} from "../../backends/windows/attestation_codes.ts";
import { attestationLogLine } from "../../backends/windows/attestation_log.ts";
import { libraryPath } from "../../backends/windows/attestor.ts";
import {
  type AttestationLogLine,
  windowsAttestor,
  type WindowsAttestorOptions,
  windowsKeys,
} from "../../backends/windows/mod.ts";
import { webcryptoKeys } from "../../backends/webcrypto/mod.ts";
import { DEFAULT_IDENTITIES, spawnEmulator } from "../../emulator/mod.ts";
import type { AttestationRequest } from "../../src/attestation.ts";
import { base64url, utf8 } from "../../src/encoding.ts";
import { type ErrorCode, isKeyboundError } from "../../src/errors.ts";
import { claimingStrength, CLIENT_ID, fakeAzure, fakeJwt, VAULT } from "../support/fake_azure.ts";
import { EPOCH, manualClock } from "../support/clock.ts";
import { SimulatedAttestation } from "./support/attestation_library.ts";
import { httpAttestor } from "./support/http_attestor.ts";
import { SimulatedMachine } from "./support/machine.ts";

const ENDPOINT = "https://attestation.example";
const isError = (code: ErrorCode) => (error: unknown) => isKeyboundError(error, code);

/** A KeyGuard key, the library, and an attestor over it. */
async function keyGuard(options: WindowsAttestorOptions = {}) {
  const machine = new SimulatedMachine();
  const { system, handles } = machine.process();
  const keys = windowsKeys({ system: () => Promise.resolve(system) });
  const key = await keys.create("KeyGuardRSAKey");
  const library = new SimulatedAttestation();
  const clock = manualClock();
  const attestor = windowsAttestor({ load: library.load, clock, ...options });
  const request: AttestationRequest = { endpoint: ENDPOINT, key, clientId: CLIENT_ID };
  return { machine, keys, key, library, clock, attestor, request, handles };
}

/** A promise and what settles it; not every runtime has `Promise.withResolvers`. */
function gate() {
  let open = () => {};
  const opened = new Promise<void>((resolve) => open = resolve);
  return { open, opened };
}

describe("windowsAttestor", () => {
  it("gives the library's token, asked for with endpoint, handle and client id", async () => {
    const { attestor, library, request, handles } = await keyGuard();
    assert.equal(await attestor.attest(request), library.token);
    const [call] = library.calls;
    assert.deepEqual([call!.endpoint, call!.clientId], [`${ENDPOINT}/`, CLIENT_ID]);
    assert.notEqual(call!.handle, 0n);
    assert.equal(handles(), 0, "The key's handle is given back.");
    assert.equal(library.lent.size, 0, "The token's memory is given back.");
  });

  for (const code of [-1, -5, -6, -14, -34, -35, -99, 7]) {
    it(`fails with attestation_failed when the library returns ${code}`, async () => {
      const { attestor, library, request, handles } = await keyGuard();
      library.code = code;
      await assert.rejects(attestor.attest(request), (error) => {
        assert.ok(isKeyboundError(error, "attestation_failed"));
        assert.ok(error.message.includes(describeAttestationCode(code)), error.message);
        assert.ok(!error.message.includes(library.token!));
        assert.equal(error.retryable, isAttestationRetryable(code));
        return true;
      });
      assert.equal(library.lent.size + handles(), 0);
    });
  }

  for (const token of [undefined, "", "  ", "no token", "a.b", "a.b.c d"]) {
    it(`fails with attestation_failed when the token is ${JSON.stringify(token)}`, async () => {
      const { attestor, library, request } = await keyGuard();
      library.token = token;
      await assert.rejects(attestor.attest(request), isError("attestation_failed"));
      assert.equal(library.lent.size, 0);
    });
  }

  it("fails with attestation_failed when the library doesn't start, and starts it anew", async () => {
    const { attestor, library, request } = await keyGuard();
    library.startCode = -35;
    await assert.rejects(attestor.attest(request), isError("attestation_failed"));
    assert.deepEqual([library.calls.length, library.callbacks], [0, 0]);
    library.startCode = 0;
    assert.equal(await attestor.attest(request), library.token);
    assert.deepEqual(library.life, ["start", "start"]);
  });

  it("takes no key but an RSA key of KeyGuard", async () => {
    const { attestor, library, keys, request } = await keyGuard();
    const others = [
      await webcryptoKeys().create("k", { algorithm: "P-256" }),
      await claimingStrength(webcryptoKeys(), "keyguard").create("k", { algorithm: "RSA-2048" }),
      await keys.create("ec", { algorithm: "P-256" }),
    ];
    for (const key of others) {
      await assert.rejects(
        attestor.attest({ ...request, key }),
        isError("mtls_pop_requires_keyguard"),
      );
    }
    assert.deepEqual(library.life, []);
  });

  it("passes nothing on that can't be right", async () => {
    const { attestor, library, request } = await keyGuard();
    const bad = [
      { endpoint: "http://attestation.example" },
      { endpoint: "attestation.example" },
      { endpoint: "" },
      { clientId: "" },
      { clientId: "a\0b" },
    ];
    for (const change of bad) {
      await assert.rejects(
        attestor.attest({ ...request, ...change }),
        isError("attestation_failed"),
      );
    }
    assert.equal(library.calls.length, 0);
  });

  it("says that the key is gone where it is", async () => {
    const { attestor, library, keys, request } = await keyGuard();
    await keys.remove("KeyGuardRSAKey");
    await assert.rejects(attestor.attest(request), isError("key_unusable"));
    assert.equal(library.calls.length, 0);
  });

  it("asks once while the token lasts (protocol.md section 5.4)", async () => {
    const { attestor, library, clock, request } = await keyGuard();
    const exp = EPOCH / 1000 + 3600;
    library.token = `e30.${base64url(utf8(JSON.stringify({ exp })))}.c2ln`;
    await Promise.all([attestor.attest(request), attestor.attest(request)]);
    assert.equal(library.calls.length, 1);
    await clock.advance(55 * 60_000);
    await attestor.attest(request);
    assert.equal(library.calls.length, 2);
  });

  it("ends the library when it is closed, and starts it again", async () => {
    const { attestor, library, request } = await keyGuard();
    await attestor.close();
    await attestor.attest(request);
    await attestor.close();
    await attestor.attest(request);
    assert.deepEqual(library.life, ["start", "end", "start"]);
    await attestor.close();
    assert.equal(library.callbacks, 0);
  });

  it("isn't ended under a call that began while it was being closed", async () => {
    const { attestor, library, request } = await keyGuard();
    const begun = [gate(), gate()];
    const answered = [gate(), gate()];
    let calls = 0;
    library.beforeCall = () => {
      begun[calls]!.open();
      return answered[calls++]!.opened;
    };
    const first = attestor.attest(request);
    await begun[0]!.opened;
    const closed = attestor.close();
    const second = attestor.attest({ ...request, endpoint: "https://other.example" });
    await begun[1]!.opened;
    answered[0]!.open();
    await first;
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(library.life, ["start"]);
    answered[1]!.open();
    await Promise.all([second, closed]);
    assert.deepEqual(library.life, ["start", "end"]);
  });

  const relative = [
    "",
    "AttestationClientLib.dll",
    ".\\AttestationClientLib.dll",
    "lib\\AttestationClientLib.dll",
    "C:AttestationClientLib.dll",
    "\\AttestationClientLib.dll",
    "/AttestationClientLib.dll",
    "\\\\",
    "\\\\AttestationClientLib.dll",
    "x\nC:\\AttestationClientLib.dll",
  ];
  for (const library of relative) {
    it(`refuses ${JSON.stringify(library)}, which Windows would search for`, () => {
      assert.throws(() => windowsAttestor({ library }), isError("invalid_argument"));
    });
  }

  it("takes the library by an absolute path, as it is", () => {
    for (const library of ["C:\\app\\a.dll", "d:/app/a.dll", "\\\\server\\share\\a.dll"]) {
      assert.equal(libraryPath(library, "C:\\Program Files\\nodejs\\node.exe"), library);
      assert.equal(windowsAttestor({ library }).name, "windows");
    }
  });

  it("takes the library beside the executable where none is named", () => {
    assert.equal(
      libraryPath(undefined, "C:\\Program Files\\nodejs\\node.exe"),
      "C:\\Program Files\\nodejs\\AttestationClientLib.dll",
    );
  });

  if (process.platform !== "win32") {
    it("says on another system that it can't", async () => {
      const { request } = await keyGuard();
      const attestor = windowsAttestor();
      await assert.rejects(attestor.attest(request), isError("key_provider_unavailable"));
    });
  }
});

describe("the log of the attestation library", () => {
  it("comes line by line, without secrets and without what it says to debug", async () => {
    const lines: AttestationLogLine[] = [];
    const { attestor, library, request } = await keyGuard({ onLog: (line) => lines.push(line) });
    const secret = fakeJwt({ sub: "secret" });
    library.lines = [
      [0, "tag", "Attest", 7, `failed with ${secret}`],
      [1, null, null, 0, null],
      [2, "tag", "Attest", 8, "bell\u0007 and\r\nnew line"],
      [3, "tag", "Attest", 9, "for debuggers only"],
      [9, "tag", "Attest", 10, "of a level that isn't known"],
    ];
    await attestor.attest(request);
    assert.deepEqual(lines, [
      { level: "error", origin: "tag Attest:7", message: "failed with [redacted]" },
      { level: "warning", origin: ":0", message: "" },
      { level: "info", origin: "tag Attest:8", message: "bell  and new line" },
    ]);
  });

  it("isn't in the way when its listener throws", async () => {
    const { attestor, library, request } = await keyGuard({
      onLog: () => {
        throw new Error("listener");
      },
    });
    library.lines = [[0, "tag", "Attest", 7, "text"]];
    assert.equal(await attestor.attest(request), library.token);
  });

  it("is bounded", () => {
    const { message } = attestationLogLine(0, "t", "f", 1, "word ".repeat(10_000))!;
    // 600, without the space at the end.
    assert.equal(message.length, 599);
  });
});

describe("a return code of the attestation library", () => {
  const rows: [number, string][] = [
    [-1, "ERRORCURLINITIALIZATION (-1): its HTTP client didn't start"],
    [-6, "ERRORATTESTATIONFAILED (-6): the attestation service refused the key"],
    [-12, "ERRORTPMINTERNALFAILURE (-12)"],
    [-32, "ERRORCREATEKGATTESTATIONREPORT (-32)"],
    [-34, "ERRORUNEXPECTEDEXCEPTION (-34)"],
    [-35, "ERRORLOGGERINITIALIZATION (-35): its log didn't start"],
    [-36, "code -36"],
    [0, "code 0"],
    [5, "code 5"],
  ];
  for (const [code, text] of rows) {
    it(`${code} is '${text}' (AttestationErrors_Describe_…)`, () => {
      assert.equal(describeAttestationCode(code), text);
    });
  }
});

describe("an attested certificate on Windows", () => {
  it("isn't asked for when the library gives no token", async () => {
    const { attestor, library, keys } = await keyGuard();
    library.code = -6;
    const azure = await fakeAzure({ keys });
    const identity = azure.identity({ attestor, keyAlgorithm: "RSA-2048" });
    const asked = identity.getToken({ resource: VAULT, attest: true });
    await assert.rejects(asked, isError("attestation_failed"));
    assert.equal(azure.counts(), "1+0+0+0");
  });

  it("is asked for with the library's token", async () => {
    const { attestor, library, keys } = await keyGuard();
    const azure = await fakeAzure({ keys });
    const identity = azure.identity({ attestor, keyAlgorithm: "RSA-2048" });
    const { binding } = await identity.getToken({ resource: VAULT, attest: true });
    assert.equal(binding.attested, true);
    const [issued] = azure.sent.filter(({ endpoint }) => endpoint === "issuecredential");
    assert.equal(JSON.parse(issued!.body).attestation_token, library.token);
  });

  it("is attested by the emulator's service over HTTP", async () => {
    const emulator = await spawnEmulator();
    try {
      const { key } = await keyGuard();
      const { clientId } = DEFAULT_IDENTITIES[0]!;
      const request = { endpoint: emulator.attestation, key, clientId };
      const token = await httpAttestor().attest(request);
      assert.match(token!, /^[\w-]+\.[\w-]+\.[\w-]+$/);
      const stranger = { ...request, clientId: "00000000-0000-0000-0000-000000000000" };
      assert.equal(await httpAttestor().attest(stranger), undefined);
    } finally {
      await emulator.close();
    }
  });
});
