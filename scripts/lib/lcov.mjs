/**
 * Coverage as Node's test runner writes it: lcov, of which only what is counted here is read.
 *
 * @module
 */

/**
 * @typedef {object} Count
 * @property {number} found how many there are
 * @property {readonly number[]} missed the line of each that never ran
 */

/**
 * @typedef {object} FileCoverage
 * @property {string} file path from the root, with slashes
 * @property {Count} lines
 * @property {Count} branches
 * @property {Count} functions
 */

/**
 * The files of a report.
 *
 * @param {string} lcov
 * @returns {FileCoverage[]}
 */
export function parseLcov(lcov) {
  return lcov.split("end_of_record").slice(0, -1).map((record) => {
    const lines = record.split(/\r?\n/);
    /** @param {string} kind */
    const fields = (kind) =>
      lines.filter((line) => line.startsWith(`${kind}:`))
        .map((line) => line.slice(kind.length + 1));
    const [file] = fields("SF");
    if (file === undefined) throw new Error("The coverage report has a record without a file.");
    return {
      file: file.replaceAll("\\", "/"),
      // `DA:line,runs`, `BRDA:line,block,branch,runs`, `FN:line,name` with `FNDA:runs,name`.
      lines: countOf(fields("DA").map(numbers), 1),
      branches: countOf(fields("BRDA").map(numbers), 3),
      functions: functionsOf(fields("FN"), fields("FNDA")),
    };
  });
}

/** @param {string} fields */
function numbers(fields) {
  return fields.split(",").map(Number);
}

/**
 * @param {readonly (readonly number[])[]} entries each with its line first
 * @param {number} runs index of how often it ran
 * @returns {Count}
 */
function countOf(entries, runs) {
  const missed = entries.filter((entry) => entry[runs] === 0).map(([line = 0]) => line);
  return { found: entries.length, missed };
}

/**
 * @param {readonly string[]} places
 * @param {readonly string[]} calls in the same order
 * @returns {Count}
 */
function functionsOf(places, calls) {
  return countOf(places.map((place, i) => [parseInt(place, 10), parseInt(calls[i] ?? "0", 10)]), 1);
}
