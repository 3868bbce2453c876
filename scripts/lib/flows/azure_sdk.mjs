/**
 * A secret read by the Azure SDK with a bound token: how the demo shows it, and what counts as all
 * right.
 *
 * @module
 */

/** Its program, in `demo/`. */
export const program = "azure_sdk.ts";
export const usesEmulator = true;
export const takesBackend = false;

/**
 * @param {any} told
 * @returns {string[]}
 */
export function linesOf({ result }) {
  const { secretRead, tokenType, cnfMatchesCertificate, withoutHttpClient, requests } = result;
  const bound = cnfMatchesCertificate ? "bound to the certificate" : "NOT BOUND";
  const { issuecredential, token, vault } = requests;
  return [
    `@azure/keyvault-secrets: secret ${secretRead ? "read" : "NOT READ"}; ${tokenType}, ${bound}`,
    `certificates ${issuecredential}, token requests ${token}, to the vault ${
      JSON.stringify(vault)
    }`,
    `without our HTTP client: HTTP ${withoutHttpClient}`,
  ];
}

/** @param {any} result */
export function isGood(result) {
  return result.secretRead && result.cnfMatchesCertificate && result.alwaysWithCertificate &&
    result.tokenType === "mtls_pop" && result.withoutHttpClient === 401;
}
