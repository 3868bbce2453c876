/**
 * What the workflows may do, and what publishing has to: read as lines, which is enough for YAML as
 * it is written here.
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { filesBelow, read } from "../package/support/project.ts";

const FOLDER = ".github/workflows";
const PUBLISH = `${FOLDER}/publish.yml`;

const workflows = new Map(filesBelow(FOLDER).map((path) => [path, code(read(path))]));

/** The lines without comments and empty ones. */
function code(text: string): readonly string[] {
  return text.split("\n").filter((line) => !/^\s*(#|$)/.test(line));
}

/** The jobs of a workflow, by name: what is indented below each. */
function jobs(lines: readonly string[]): Map<string, readonly string[]> {
  const found = new Map<string, string[]>();
  let job: string[] | undefined;
  for (const line of lines.slice(lines.indexOf("jobs:") + 1)) {
    const [, name] = /^ {2}([\w-]+):$/.exec(line) ?? [];
    if (name !== undefined) found.set(name, job = []);
    else job?.push(line);
  }
  return found;
}

/** What a job or a workflow may do, such as `contents: read`. */
function permissions(lines: readonly string[]): readonly string[] {
  const start = lines.findIndex((line) => /^\s*permissions:/.test(line));
  if (start < 0) return ["unlimited"];
  const indent = lines[start]!.search(/\S/);
  const below = lines.slice(start + 1);
  const end = below.findIndex((line) => line.search(/\S/) <= indent);
  return below.slice(0, end < 0 ? undefined : end).map((line) => line.trim());
}

/** The commands of a workflow, one line each: none is written over several. */
function commands(lines: readonly string[]): readonly string[] {
  return lines.flatMap((line) => /^\s*(?:- )?run: (.*)$/.exec(line)?.slice(1) ?? []);
}

describe("every workflow", () => {
  it("is there to be looked at", () => {
    assert.deepEqual([...workflows.keys()], [`${FOLDER}/ci.yml`, PUBLISH]);
  });

  it("may read and nothing else, unless a job says so", () => {
    for (const [path, lines] of workflows) {
      const head = lines.slice(0, lines.indexOf("jobs:"));
      assert.ok(["", "contents: read"].includes(permissions(head).join()), path);
      assert.ok(head.includes("permissions: {}") || permissions(head).length > 0, path);
    }
  });

  it("runs nothing that somebody else could have written: no expression is in a command", () => {
    for (const [path, lines] of workflows) {
      assert.ok(commands(lines).length > 0, path);
      for (const command of commands(lines)) {
        assert.doesNotMatch(command, /\$\{\{/, path);
        assert.doesNotMatch(
          command,
          /^[|>]/,
          `${path}: a command over several lines isn't read here`,
        );
      }
      const expressions = lines.flatMap((line) => line.match(/\$\{\{.*?\}\}/g) ?? []);
      const known = ["${{ github.ref }}", "${{ github.token }}", "${{ github.repository }}"];
      assert.deepEqual(expressions.filter((expression) => !known.includes(expression)), [], path);
      assert.doesNotMatch(lines.join("\n"), /pull_request_target|workflow_run|secrets\./, path);
    }
  });

  it("uses GitHub's own actions by version, and leaves no token in the checkout", () => {
    for (const [path, lines] of workflows) {
      lines.forEach((line, index) => {
        if (!line.includes("uses:")) return;
        assert.match(line, /^ +- uses: actions\/[\w-]+@(v\d+|[0-9a-f]{40}) # v\d/, path);
        if (!line.includes("actions/checkout@")) return;
        assert.match(lines.slice(index + 1, index + 3).join(), /persist-credentials: false/, path);
      });
    }
  });

  it("names no registry: that of the tool's own is meant", () => {
    for (const [path, lines] of workflows) assert.doesNotMatch(lines.join("\n"), /registry/i, path);
  });
});

describe("publishing", () => {
  const parts = jobs(workflows.get(PUBLISH)!);
  const lineOf = (job: string, pattern: RegExp) =>
    commands(parts.get(job)!).findIndex((line) => pattern.test(line));

  it("lets each job do what it needs", () => {
    const granted = [...parts].map(([name, lines]) => [name, permissions(lines).toSorted()]);
    assert.deepEqual(Object.fromEntries(granted), {
      build: ["contents: read"],
      npm: ["id-token: write"],
      jsr: ["contents: read", "id-token: write"],
      release: ["contents: write"],
    });
  });

  it("tests first, looks for known vulnerabilities, and then makes what is published", () => {
    const steps = [
      /GITHUB_REF_NAME/,
      /^sudo env "PATH=\$PATH" \.ci\/run$/,
      /^sudo chown --recursive "\$\(id -u\)" \.$/,
      /^npm audit --omit=dev$/,
      // Without it the registry refuses what has provenance; a fork has its own.
      /^npm pkg set .*"repository\.url=git\+\$GITHUB_SERVER_URL\/\$GITHUB_REPOSITORY\.git"$/,
      /package\.mjs --output/,
    ];
    const order = steps.map((pattern) => lineOf("build", pattern));
    assert.deepEqual(order, [0, 1, 2, 3, 4, 5]);
  });

  it("publishes that very tarball, with provenance, running nothing of it", () => {
    assert.deepEqual(commands(parts.get("npm")!), [
      "npm publish ./release/*.tgz --provenance --access public --ignore-scripts",
    ]);
    assert.doesNotMatch(parts.get("npm")!.join("\n"), /checkout|npm (ci|install|pack|run)/);
  });

  it("does nothing before what it needs is done", () => {
    const needs = (job: string) => /needs: (.*)/.exec(parts.get(job)!.join("\n"))?.[1];
    assert.deepEqual(["npm", "jsr", "release"].map(needs), ["build", "build", "[npm, jsr]"]);
  });
});
