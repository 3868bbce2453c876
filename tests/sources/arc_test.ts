/**
 * Azure Arc's challenge and attacks on it (protocol.md section 7.6).
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { HostAccess } from "../../src/sources/mod.ts";
import { drive } from "../support/clock.ts";
import {
  CORRELATION_ID,
  ENVIRONMENTS,
  fakeHost,
  query,
  tokenResponse,
} from "./support/fake_host.ts";

const LINUX = "/var/opt/azcmagent/tokens/";
const WINDOWS = "C:\\ProgramData\\AzureConnectedMachineAgent\\Tokens\\";
const FAILED = "managed_identity_request_failed";

interface Attack {
  readonly platform?: HostAccess["platform"];
  readonly programData?: string;
  /** `WWW-Authenticate`. */
  readonly header?: string | undefined;
  readonly files?: Readonly<Record<string, string>>;
  /** Answers after the first. */
  readonly then?: (i: number) => Response;
}

function challenged(
  { platform, programData, header, files, then = () => tokenResponse() }: Attack,
) {
  const environment = {
    ...ENVIRONMENTS.AzureArc,
    ...(programData === undefined ? {} : { ProgramData: programData }),
  };
  return fakeHost(environment, {
    platform: platform ?? "linux",
    files: files ?? {},
    answer: (i) =>
      i > 0 ? then(i) : new Response(null, {
        status: 401,
        headers: header === undefined ? {} : { "www-authenticate": header },
      }),
  });
}

describe("Arc's challenge", () => {
  const taken: [string, Attack, string][] = [
    [
      "on Linux",
      { header: `Basic realm=${LINUX}ab-1.key`, files: { [`${LINUX}ab-1.key`]: "s3" } },
      "s3",
    ],
    [
      "in any case",
      { header: `basic REALM=${LINUX}a.key`, files: { [`${LINUX}a.key`]: "s3" } },
      "s3",
    ],
    ["with a line's end in the file", {
      header: `Basic realm=${LINUX}a.key`,
      files: { [`${LINUX}a.key`]: "s3\n" },
    }, "s3"],
    ["of 4096 bytes", {
      header: `Basic realm=${LINUX}a.key`,
      files: { [`${LINUX}a.key`]: "k".repeat(4096) },
    }, "k".repeat(4096)],
    ["on Windows", {
      platform: "windows",
      programData: "C:\\ProgramData",
      header: `Basic realm=${WINDOWS}ab-1.key`,
      files: { [`${WINDOWS}ab-1.key`]: "s3" },
    }, "s3"],
  ];
  for (const [name, attack, secret] of taken) {
    it(`is answered ${name} by the same request with the file's content`, async () => {
      const { sources, sent } = challenged(attack);
      assert.equal((await sources.token(query())).accessToken, "the-token");
      const [first, second] = sent;
      assert.equal(sent.length, 2);
      assert.equal(first!.headers.authorization, undefined);
      assert.deepEqual(second, {
        ...first,
        headers: { ...first!.headers, authorization: `Basic ${secret}` },
      });
    });
  }

  it("needn't come: a token is a token", async () => {
    const { sources, sent, read } = fakeHost(ENVIRONMENTS.AzureArc);
    await sources.token(query());
    assert.deepEqual([sent.length, read.length], [1, 0]);
  });

  it("that is refused twice is a failure, not a loop", async () => {
    const { sources, sent } = challenged({
      header: `Basic realm=${LINUX}a.key`,
      files: { [`${LINUX}a.key`]: "s3" },
      then: () => new Response(null, { status: 401 }),
    });
    await assert.rejects(sources.token(query()), { code: FAILED, status: 401 });
    assert.equal(sent.length, 2);
  });

  it("is answered again after a 500, one second later", async () => {
    const { sources, sent, clock } = challenged({
      header: `Basic realm=${LINUX}a.key`,
      files: { [`${LINUX}a.key`]: "s3" },
      then: (i) => i === 1 ? new Response(null, { status: 500 }) : tokenResponse(),
    });
    await drive(clock, sources.token(query()));
    assert.deepEqual(sent.map(({ headers }) => headers.authorization !== undefined), [
      false,
      true,
      true,
    ]);
  });

  const paths: [string, string][] = [
    ["outside the folder", "/etc/shadow.key"],
    ["out of the folder", `${LINUX}../../../../etc/shadow.key`],
    ["by a folder within", `${LINUX}sub/a.key`],
    ["by two slashes", "/var/opt/azcmagent//tokens/a.key"],
    ["by a dot", "/var/opt/azcmagent/./tokens/a.key"],
    ["in a folder that begins alike", "/var/opt/azcmagent/tokens2/a.key"],
    ["in other case", "/var/opt/AZCMAGENT/tokens/a.key"],
    ["with another ending", `${LINUX}a.txt`],
    ["with an ending in capitals", `${LINUX}a.KEY`],
    ["without a name", `${LINUX}.key`],
    ["without an ending", `${LINUX}a`],
    ["the folder itself", LINUX],
    ["by a backslash", `${LINUX}a\\b.key`],
    ["with a long name", `${LINUX}${"a".repeat(200)}.key`],
    ["by a relative path", "var/opt/azcmagent/tokens/a.key"],
    ["by quotes", `"${LINUX}a.key"`],
    ["on Windows while this is Linux", `${WINDOWS}a.key`],
    ["percent-encoded", `${LINUX}%2e%2e%2fa.key`],
    ["as a URL", `file://${LINUX}a.key`],
  ];
  for (const [name, path] of paths) {
    it(`for a file ${name} is refused, and the file not read`, async () => {
      const { sources, sent, read } = challenged({
        header: `Basic realm=${path}`,
        files: { [path]: "s3" },
      });
      await assert.rejects(sources.token(query()), {
        code: FAILED,
        source: "AzureArc",
        status: 401,
        correlationId: CORRELATION_ID,
        message: /invalid file/,
      });
      assert.deepEqual([sent.length, read], [1, []]);
    });
  }

  const refused: [string, Attack, RegExp][] = [
    ["without its header", { header: undefined }, /no challenge/],
    ["of another scheme", { header: `Bearer realm=${LINUX}a.key` }, /invalid/],
    ["without a scheme", { header: `realm=${LINUX}a.key` }, /invalid/],
    ["without a realm", { header: "Basic" }, /invalid/],
    ["with an empty realm", { header: "Basic realm=" }, /invalid/],
    ["with more after it", { header: `Basic realm=${LINUX}a.key, charset=x` }, /invalid/],
    ["sent twice", { header: `Basic realm=${LINUX}a.key, Basic realm=${LINUX}b.key` }, /invalid/],
    ["on another platform", {
      platform: "other",
      header: `Basic realm=${LINUX}a.key`,
    }, /platform/],
    ["on Windows without ProgramData", {
      platform: "windows",
      header: `Basic realm=${WINDOWS}a.key`,
    }, /platform/],
    ["on Windows with a relative ProgramData", {
      platform: "windows",
      programData: "ProgramData",
      header: "Basic realm=ProgramData\\AzureConnectedMachineAgent\\Tokens\\a.key",
    }, /platform/],
    ["for a stream of a file on Windows", {
      platform: "windows",
      programData: "C:\\ProgramData",
      header: `Basic realm=${WINDOWS}a.key:b.key`,
    }, /invalid file/],
    ["for a file that isn't there", { header: `Basic realm=${LINUX}a.key` }, /can't be read/],
    ["for an empty file", {
      header: `Basic realm=${LINUX}a.key`,
      files: { [`${LINUX}a.key`]: "" },
    }, /no secret/],
    ["for a file of two lines", {
      header: `Basic realm=${LINUX}a.key`,
      files: { [`${LINUX}a.key`]: "hidden\r\nX: y" },
    }, /no secret/],
    ["for a file of 4097 bytes", {
      header: `Basic realm=${LINUX}a.key`,
      files: { [`${LINUX}a.key`]: "hidden".padEnd(4097, "k") },
    }, /no secret/],
  ];
  for (const [name, attack, message] of refused) {
    it(`${name} is refused and not answered`, async () => {
      const { sources, sent } = challenged(attack);
      await assert.rejects(sources.token(query()), (error: Error & { code?: string }) => {
        assert.equal(error.code, FAILED);
        assert.match(error.message, message);
        assert.ok(!error.message.includes("hidden"));
        return true;
      });
      assert.equal(sent.length, 1);
    });
  }
});
