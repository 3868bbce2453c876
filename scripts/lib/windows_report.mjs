/**
 * The report of `npm run verify:windows`, in Markdown.
 *
 * @module
 */

/**
 * @typedef {object} Finding
 * @property {string} section
 * @property {string} check
 * @property {"failed" | "impossible" | "ok"} outcome
 * @property {string} detail
 * @property {number} ms
 */

/**
 * @typedef {object} Seen
 * @property {Readonly<Record<string, string>>} facts what kind of host it is
 * @property {readonly Finding[]} findings
 * @property {string} [broken] why it didn't come to its end
 */

/** How each outcome reads. */
const SIGNS = { ok: "ok", failed: "FAILED", impossible: "not possible here" };

/** @param {Finding} finding */
export function signOf({ outcome }) {
  return SIGNS[outcome];
}

/**
 * How many findings of each outcome there are.
 *
 * @param {readonly Finding[]} findings
 */
export function outcomes(findings) {
  const counts = { ok: 0, failed: 0, impossible: 0 };
  for (const { outcome } of findings) counts[outcome]++;
  return counts;
}

/**
 * The report.
 *
 * @param {Seen} seen
 */
export function report({ facts, findings, broken }) {
  const { ok, failed, impossible } = outcomes(findings);
  const sections = [...new Set(findings.map(({ section }) => section))];
  return `${
    [
      "## keybound on Windows",
      "",
      ...table(["", ""], Object.entries(facts)),
      ...(broken === undefined ? [] : ["", `**It broke off.** ${broken}`]),
      ...sections.flatMap((section) => [
        "",
        `### ${section}`,
        "",
        ...table(
          ["check", "outcome", "seen", "ms"],
          findings.filter((finding) => finding.section === section)
            .map((finding) => [
              finding.check,
              signOf(finding),
              finding.detail,
              String(finding.ms),
            ]),
        ),
      ]),
      "",
      `${ok} ok, ${failed} failed, ${impossible} not possible here`,
    ].join("\n")
  }\n`;
}

/**
 * @param {readonly string[]} header
 * @param {readonly (readonly string[])[]} rows
 */
function table(header, rows) {
  const line = (/** @type {readonly string[]} */ cells) =>
    `| ${cells.map((cell) => cell.replaceAll("|", "\\|").replaceAll("\n", " ")).join(" | ")} |`;
  return [line(header), line(header.map(() => "---")), ...rows.map(line)];
}
