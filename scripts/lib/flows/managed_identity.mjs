/**
 * The main job of the demo, managed identity: how its steps read, and what counts as all right.
 *
 * @module
 */

/** Its program, in `demo/`. */
export const program = "story.ts";
export const usesEmulator = true;
export const takesBackend = true;

/**
 * What each step shows: a title, and what to say of the step.
 *
 * @type {Record<string, [title: string, describe: (step: any) => string]>}
 */
const STEPS = {
  cold: [
    "a token from nothing",
    (s) =>
      `metadata ${s.getplatformmetadata}, certificate ${s.issuecredential}, token ${s.token}; bound to ${
        s.thumbprint.slice(0, 12)
      }…`,
  ],
  use: [
    "the resource, with token and key",
    (s) => `HTTP ${s.status}; the token names the certificate: ${yes(s.cnfMatchesCertificate)}`,
  ],
  stolen: [
    "the same token, stolen",
    (s) => `HTTP ${s.status}; a thief has the token but not the key`,
  ],
  warm: [
    "the token again",
    (s) => `${s.requests} requests, ${s.microseconds} µs each (${s.hits} times)`,
  ],
  certificateCached: [
    "a new token, same certificate",
    (s) => `metadata ${s.getplatformmetadata}, certificate ${s.issuecredential}, token ${s.token}`,
  ],
  deadKey: ["broken: the key is gone", healed],
  rejectedCertificate: ["broken: TLS alert bad_certificate", healed],
  handshakeReset: ["broken: the handshake is reset", healed],
  invalidClient: ["broken: invalid_client", healed],
};

const COLUMNS = /** @type {const} */ ([
  ["source", (/** @type {any} */ row) => row.source, 15],
  ["can bind", (/** @type {any} */ row) => row.boundTokens ? "yes" : "no", 9],
  ["token", (/** @type {any} */ row) => row.tokenType, 9],
  ["resource", (/** @type {any} */ row) => `HTTP ${row.resourceStatus}`, 9],
  ["requests, then again", (/** @type {any} */ row) => row.requests.join(", then "), 20],
]);

/**
 * What a line says: what was done, how long it took, what came of it; a line, or a table.
 *
 * @param {any} step
 * @returns {string[]}
 */
export function linesOf(step) {
  if (step.result !== undefined) return [];
  if (step.step === "sources") return tableOf(step.rows);
  const [title, describe] = STEPS[step.step] ?? [String(step.step), () => ""];
  const time = step.ms === undefined ? "" : `${step.ms.toFixed(0)} ms`;
  return [`${title.padEnd(34)} ${time.padStart(7)}   ${describe(step)}`];
}

/** @param {any[]} rows */
function tableOf(rows) {
  const line = (/** @type {(column: typeof COLUMNS[number]) => string} */ cell) =>
    COLUMNS.map((column) => cell(column).padEnd(column[2])).join(" ").trimEnd();
  return [
    "every source, asked for the token it can give ('preferred')",
    `  ${line(([title]) => title)}`,
    ...rows.map((row) => `  ${line(([, value]) => value(row))}`),
  ];
}

/** @param {any} step */
function healed({ ok, mints, tokenRequests, thumbprint }) {
  return `healed: ${
    yes(ok)
  }; new certificates ${mints}, token requests ${tokenRequests}; bound to ${
    thumbprint.slice(0, 12)
  }…`;
}

/** @param {boolean} value */
function yes(value) {
  return value ? "yes" : "NO";
}

/**
 * Whether a runtime's result is what it should be.
 *
 * @param {any} result
 */
export function isGood({ cold, warm, certificateCached, healed, ...rest }) {
  const { getplatformmetadata, issuecredential, token } = certificateCached;
  return rest.tokenType === "mtls_pop" && rest.cnfMatchesCertificate === true &&
    rest.resourceStatus === 200 && rest.stolenTokenStatus === 401 &&
    cold.getplatformmetadata === 1 && cold.issuecredential === 1 && cold.token === 1 &&
    warm.requests === 0 && getplatformmetadata + issuecredential === 0 && token === 1 &&
    Object.values(healed).every(({ ok, mints }) => ok && mints === 1) &&
    rest.sources.length === 7 && rest.sources.every(isGoodSource);
}

/** @param {any} row */
function isGoodSource({ source, boundTokens, tokenType, resourceStatus, requests }) {
  return resourceStatus === 200 && requests[1] === 0 && boundTokens === (source === "Imds v2") &&
    tokenType === (boundTokens ? "mtls_pop" : "Bearer");
}
