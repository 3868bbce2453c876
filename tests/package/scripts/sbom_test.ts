/**
 * The list of what the package consists of and needs.
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { faultsOf, sbom } from "../../../scripts/sbom.mjs";

const TARBALL = new TextEncoder().encode("a tarball");

describe("the bill of materials", () => {
  const document = sbom(TARBALL);
  const { component } = document.metadata;

  it("is the same for the same tarball, and another for another", () => {
    assert.equal(JSON.stringify(sbom(TARBALL)), JSON.stringify(document));
    const [other] = sbom(TARBALL.subarray(1)).metadata.component.hashes;
    assert.notEqual(other?.content, component.hashes[0]?.content);
  });

  it("needs valibot, and marks every other package as optional", () => {
    const scopeOf = ({ name, scope }: { name: string; scope?: string }) => `${name}: ${scope}`;
    const scopes: string[] = document.components.map(scopeOf);
    assert.deepEqual(scopes.filter((scope) => !scope.endsWith(": optional")), [
      "valibot: required",
    ]);
    assert.ok(scopes.includes("koffi: optional"));
  });

  it("is whole", () => assert.deepEqual(faultsOf(document), []));

  it("holds nothing that a time, a machine or a registry would change", () => {
    assert.doesNotMatch(JSON.stringify(document), /https?:|timestamp|serialNumber/);
  });

  it("isn't whole without hash, licence, version, or a component that is spoken of", () => {
    const [first, ...others] = document.components;
    const without = (change: Partial<typeof component>) =>
      faultsOf({ ...document, components: [{ ...first!, ...change }, ...others] });
    const { name } = first!;
    assert.deepEqual(without({ hashes: [] }), [`${name} has no hash.`]);
    assert.deepEqual(without({ licenses: [] }), [`${name} has no licence.`]);
    assert.deepEqual(without({ version: "^1.0" }), [`${name} has no version.`]);
    assert.equal(faultsOf({ ...document, components: others }).length, 2);
    assert.deepEqual(faultsOf(sbom()), [`${component.name} has no hash.`]);
  });
});
