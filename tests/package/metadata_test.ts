/**
 * What the project says about itself in several places.
 *
 * @module
 */

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { describe, it } from "node:test";
import { VERSION } from "../../src/version.ts";
import { filesBelow, read, readJson } from "./support/project.ts";

interface PackageJson {
  readonly version: string;
  readonly license: string;
  readonly files: readonly string[];
  readonly exports: Readonly<Record<string, string | { types: string; default: string }>>;
  readonly dependencies: Readonly<Record<string, string>>;
}
interface DenoJson {
  readonly version: string;
  readonly license: string;
  readonly exports: Readonly<Record<string, string>>;
}

const packageJson = readJson<PackageJson>("package.json");
const denoJson = readJson<DenoJson>("deno.json");

describe("the project's metadata", () => {
  it("has one version", () => {
    const lock = readJson<PackageJson>("package-lock.json");
    assert.equal(denoJson.version, packageJson.version);
    assert.equal(lock.version, packageJson.version);
    assert.equal(VERSION, packageJson.version);
  });

  it("has one licence", () => {
    assert.equal(denoJson.license, packageJson.license);
    assert.match(read("LICENSE"), new RegExp(`\\b${packageJson.license}\\b`));
  });

  it("exports the same on npm and JSR", () => {
    const expected = Object.entries(denoJson.exports).map(([name, path]) => {
      const built = path.replace(/^\.\//, "./dist/").replace(/\.ts$/, "");
      return [name, { types: `${built}.d.ts`, default: `${built}.js` }];
    });
    const { "./package.json": itself, ...exports } = packageJson.exports;
    assert.equal(itself, "./package.json");
    assert.deepEqual(exports, Object.fromEntries(expected));
  });

  it("has valibot as the only dependency, in one exact version", () => {
    assert.deepEqual(Object.keys(packageJson.dependencies), ["valibot"]);
    assert.match(packageJson.dependencies["valibot"]!, /^\d+\.\d+\.\d+$/);
  });

  it("gives notice of the licence of what the build takes in", () => {
    const [licence = ""] = ["LICENSE", "LICENSE.md"]
      .map((name) => `node_modules/valibot/${name}`)
      .filter((path) => existsSync(new URL(`../../${path}`, import.meta.url)))
      .map(read);
    const plain = (text: string) => text.replace(/^> ?/gm, "").replace(/\s+/g, " ").trim();
    assert.match(licence, /Permission is hereby granted/);
    assert.ok(plain(read("NOTICE.md")).includes(plain(licence)));
    assert.ok(packageJson.files.includes("NOTICE.md"));
  });

  it("names no registry's host", () => {
    const host = /\bregistry\.[a-z0-9-]+\.[a-z]|"resolved": "http/;
    assert.match("https://registry.example.org/", host);
    assert.deepEqual(filesBelow("").filter((path) => host.test(read(path))), [
      "tests/package/metadata_test.ts",
    ]);
  });
});

describe("the error codes", () => {
  const source = read("src/errors.ts");
  const codes = [...source.matchAll(/^ {2}\| "(\w+)"/gm)].map(([, code]) => code!);
  const [, comment = ""] = /\/\*\*([^/]*?)\*\/\s*export type ErrorCode\b/.exec(source) ?? [];

  it("are there, sorted and each once", () => {
    assert.ok(codes.includes("invalid_argument"));
    assert.deepEqual(codes, [...new Set(codes)].sort());
  });

  it("are all explained, and nothing else is", () => {
    const explained = [...comment.matchAll(/`(\w+)`/g)].map(([, code]) => code!);
    assert.deepEqual(explained.filter((code) => code !== "error").sort(), codes);
  });
});
