/**
 * Tokens from a standard authorization server: how the demo shows them, and what counts as all
 * right.
 *
 * @module
 */

/** Its program, in `demo/`. */
export const program = "rfc8705.ts";
export const usesEmulator = false;
export const takesBackend = false;

/**
 * @param {any} told
 * @returns {string[]}
 */
export function linesOf({ result }) {
  const { method, cnfMatchesCertificate, resourceStatus, stolenTokenStatus } = result;
  const bound = cnfMatchesCertificate ? "bound to the certificate" : "NOT BOUND";
  return [
    `${
      method.padEnd(28)
    } ${bound}; resource HTTP ${resourceStatus}; stolen HTTP ${stolenTokenStatus}`,
  ];
}

/** @param {any} result */
export function isGood({ cnfMatchesCertificate, resourceStatus, stolenTokenStatus }) {
  return cnfMatchesCertificate && resourceStatus === 200 && stolenTokenStatus === 401;
}
