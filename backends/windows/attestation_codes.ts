/**
 * What `AttestationClientLib.dll` returns (protocol.md section 5.2).
 *
 * @module
 */

/** Names of the codes -1, -2, ... without their prefix `ERROR`. */
const NAMES: readonly string[] = [
  "CURLINITIALIZATION",
  "RESPONSEPARSING",
  "MSITOKENNOTFOUND",
  "HTTPREQUESTEXCEEDEDRETRIES",
  "HTTPREQUESTFAILED",
  "ATTESTATIONFAILED",
  "SENDINGCURLREQUESTFAILED",
  "INVALIDINPUTPARAMETER",
  "ATTESTATIONPARAMETERSVALIDATIONFAILED",
  "FAILEDMEMORYALLOCATION",
  "FAILEDTOGETOSINFO",
  "TPMINTERNALFAILURE",
  "TPMOPERATIONFAILURE",
  "JWTDECRYPTIONFAILED",
  "JWTDECRYPTIONTPMERROR",
  "INVALIDJSONRESPONSE",
  "EMPTYVCEKCERT",
  "EMPTYRESPONSE",
  "EMPTYREQUESTBODY",
  "HCLREPORTPARSINGFAILURE",
  "HCLREPORTEMPTY",
  "EXTRACTINGJWKINFO",
  "CONVERTINGJWKTORSAPUB",
  "EVPPKEYENCRYPTINITFAILED",
  "EVPPKEYENCRYPTFAILED",
  "DATADECRYPTIONTPMERROR",
  "PARSINGDNSINFO",
  "PARSINGATTESTATIONRESPONSE",
  "AKCERTPROVISIONINGFAILED",
  "CLIENTINITFAILED",
  "EMPTYJWTRESPONSE",
  "CREATEKGATTESTATIONREPORT",
  "EXTRACTIMPORTKEYPUB",
  "UNEXPECTEDEXCEPTION",
  "LOGGERINITIALIZATION",
];

const MEANINGS: Readonly<Record<number, string>> = {
  [-1]: "its HTTP client didn't start",
  [-4]: "the attestation service didn't answer, however often it was asked",
  [-5]: "the attestation service can't be reached",
  [-6]: "the attestation service refused the key",
  [-14]: "its answer can't be decrypted",
  [-35]: "its log didn't start",
};

/** Codes after which the same call may succeed. */
const RETRYABLE: readonly number[] = [-4, -5, -7];

/** The name of a code, and its meaning where there is more to say. */
export function describeAttestationCode(code: number): string {
  const name = NAMES[-code - 1];
  const text = name === undefined ? `code ${code}` : `ERROR${name} (${code})`;
  const meaning = MEANINGS[code];
  return meaning === undefined ? text : `${text}: ${meaning}`;
}

/** Whether the same call may succeed later. */
export function isAttestationRetryable(code: number): boolean {
  return RETRYABLE.includes(code);
}
