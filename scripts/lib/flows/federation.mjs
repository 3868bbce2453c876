/**
 * The federated exchange in two legs: how the demo shows it, and what counts as all right.
 *
 * @module
 */

/** Its program, in `demo/`. */
export const program = "federation.ts";
export const usesEmulator = true;
export const takesBackend = false;

/**
 * @param {any} told
 * @returns {string[]}
 */
export function linesOf({ result }) {
  const { leg1, leg2, leg2TokenType, sameBinding, resourceStatus } = result;
  const legs = `${leg1.replaceAll("_", " ")} vouches for ${leg2.replaceAll("_", " ")}`;
  const binding = sameBinding ? "one binding" : "ANOTHER BINDING";
  return [
    `${legs.padEnd(58)} ${leg2TokenType.padEnd(9)} ${binding}; resource HTTP ${resourceStatus}`,
  ];
}

/** @param {any} result */
export function isGood({ sameBinding, resourceStatus }) {
  return sameBinding === true && resourceStatus === 200;
}
