/**
 * Where the Azure CLI is looked for and what it is told.
 *
 * @module
 */

import assert from "node:assert/strict";
import process from "node:process";
import { describe, it } from "node:test";
import { findAzureCli, tokenArguments } from "../../backends/azure_cli/command.ts";

/** What is found on a host with these files, and what was looked at. */
async function search(isWindows: boolean, path: string | undefined, files: readonly string[]) {
  const seen: string[] = [];
  const command = await findAzureCli({
    isWindows,
    path,
    exists: (file) => {
      seen.push(file);
      return Promise.resolve(files.includes(file));
    },
  });
  return { command: command && [command.program, ...command.prefix].join(" "), seen };
}

// The separator of other systems is their own.
if (process.platform !== "win32") {
  describe("the search for az", () => {
    const rows: [string | undefined, string[], string | undefined, string[]][] = [
      [undefined, ["/bin/az"], undefined, []],
      ["", ["az", "/az"], undefined, []],
      ["/bin", [], undefined, ["/bin/az"]],
      ["/bin", ["/bin/az.cmd", "/bin/azure"], undefined, ["/bin/az"]],
      ["/bin:/usr/bin", ["/usr/bin/az"], "/usr/bin/az", ["/bin/az", "/usr/bin/az"]],
      ["/bin:/usr/bin", ["/bin/az", "/usr/bin/az"], "/bin/az", ["/bin/az"]],
      ["/bin/:/usr/bin//", ["/usr/bin/az"], "/usr/bin/az", ["/bin/az", "/usr/bin/az"]],
      ["/", ["/az"], "/az", ["/az"]],
      [".:./bin:bin:..:~/bin::/bin", [".az", "./az", "bin/az", "/bin/az"], "/bin/az", ["/bin/az"]],
      ["/with space/b:/bin", ["/with space/b/az"], "/with space/b/az", ["/with space/b/az"]],
    ];
    for (const [path, files, expected, looked] of rows) {
      it(`in ${path} with ${files.join(" ")} finds ${expected}`, async () => {
        assert.deepEqual(await search(false, path, files), { command: expected, seen: looked });
      });
    }
  });
}

describe("the search for az on Windows", () => {
  const wbin = "C:\\Program Files\\Microsoft SDKs\\Azure\\CLI2\\wbin";
  const python = "C:\\Program Files\\Microsoft SDKs\\Azure\\CLI2\\python.exe";
  const run = `${python} -IBm azure.cli`;
  const rows: [string, string[], string | undefined][] = [
    [wbin, [`${wbin}\\az.cmd`, python], run],
    [`${wbin}\\`, [`${wbin}\\az.cmd`, python], run],
    [`C:\\Windows;${wbin}`, [`${wbin}\\az.cmd`, python], run],
    [wbin, [`${wbin}\\az.cmd`], undefined],
    [wbin, [python], undefined],
    [wbin, [`${wbin}\\az`, `${wbin}\\az.exe`, python], undefined],
    [`wbin;.;\\wbin;\\\\server\\share;/wbin;;C:wbin;${wbin}`, [`${wbin}\\az.cmd`, python], run],
    [".", [".\\az.cmd", "python.exe"], undefined],
    [
      "\\\\server\\cli\\wbin",
      ["\\\\server\\cli\\wbin\\az.cmd", "\\\\server\\cli\\python.exe"],
      undefined,
    ],
    ["C:\\", ["C:\\az.cmd"], undefined],
    [`C:\\shim;${wbin}`, ["C:\\shim\\az.cmd", `${wbin}\\az.cmd`, python], run],
  ];
  for (const [path, files, expected] of rows) {
    it(`in ${path} with ${files.join(" ")} finds ${expected}`, async () => {
      assert.equal((await search(true, path, files)).command, expected);
    });
  }
});

describe("the arguments of az", () => {
  it("hold resource and tenant each in one, after what is never an option", () => {
    assert.deepEqual(tokenArguments("https://vault.azure.net", undefined), [
      "account",
      "get-access-token",
      "--output=json",
      "--resource=https://vault.azure.net",
    ]);
    assert.deepEqual(tokenArguments("api://x", "contoso.com").slice(3), [
      "--resource=api://x",
      "--tenant=contoso.com",
    ]);
  });

  it("can't be made more or other ones by a resource", () => {
    for (const resource of ["--debug", "-h", "--help=1", "a=b", "$(id)", ";id", "`id`", '"', "'"]) {
      const args = tokenArguments(resource, undefined);
      assert.equal(args.length, 4);
      assert.equal(args[3], `--resource=${resource}`);
    }
  });

  it("name no file that the CLI would send in the resource's place", () => {
    for (const resource of ["@/etc/passwd", "@secret", "@"]) {
      assert.throws(() => tokenArguments(resource, undefined), { code: "invalid_argument" });
    }
  });
});
