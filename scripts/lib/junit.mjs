/**
 * The JUnit reports of Node, Deno and Bun, down to the single test.
 *
 * @module
 */

/**
 * @typedef {object} TestCase
 * @property {string} name with the names of its suites before it
 * @property {"passed" | "failed" | "skipped"} status
 */

/** A start tag, an end tag or an empty element: slash, name, attributes, slash. */
const TAG = /<(\/?)(testsuite|testcase|failure|error|skipped)((?:\s+[\w:-]+="[^"]*")*)\s*(\/?)>/g;
const SEPARATOR = " > ";

/**
 * The tests of a report on one file; suites, and tests that hold other tests, are not counted.
 *
 * @param {string} xml
 * @param {"node" | "deno" | "bun"} runtime whose report this is
 * @returns {TestCase[]}
 */
export function testCases(xml, runtime) {
  /** @type {string[]} */
  const suites = [];
  /** @type {TestCase[]} */
  const cases = [];
  // Deno and Bun begin with a suite for the file, and Deno puts the suites into the test's name.
  const ignoredSuites = runtime === "node" ? 0 : 1;
  for (const [, closing, element, attributes, empty] of xml.matchAll(TAG)) {
    const name = decode(/\sname="([^"]*)"/.exec(attributes ?? "")?.[1] ?? "");
    if (element === "testsuite") {
      if (closing) suites.pop();
      else if (!empty) suites.push(name);
    } else if (closing) {
      continue;
    } else if (element === "testcase") {
      const path = [...suites.slice(ignoredSuites), name];
      cases.push({ name: path.join(SEPARATOR), status: "passed" });
    } else {
      const last = cases.at(-1);
      if (last !== undefined) last.status = element === "skipped" ? "skipped" : "failed";
    }
  }
  return runtime === "deno" ? leaves(cases) : cases;
}

/**
 * Those that hold no other: Deno reports a suite as a test with steps.
 *
 * @param {readonly TestCase[]} cases
 */
function leaves(cases) {
  const parents = new Set();
  for (const { name } of cases) {
    const parts = name.split(SEPARATOR);
    for (let length = 1; length < parts.length; length++) {
      parents.add(parts.slice(0, length).join(SEPARATOR));
    }
  }
  return cases.filter(({ name }) => !parents.has(name));
}

/** @param {string} text */
function decode(text) {
  return text
    .replaceAll(/&#(\d+);/g, (_, code) => String.fromCodePoint(Number(code)))
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">")
    .replaceAll("&quot;", '"')
    .replaceAll("&apos;", "'")
    .replaceAll("&amp;", "&");
}
