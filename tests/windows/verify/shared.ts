/**
 * What others own: the key of .NET's library, and the library for attestation. Both are only looked
 * at.
 *
 * @module
 */

import process from "node:process";
import {
  AttestationLibrary,
  openAttestation,
} from "../../../backends/windows/attestation_library.ts";
import { libraryPath } from "../../../backends/windows/attestor.ts";
import { describeAttestationCode } from "../../../backends/windows/attestation_codes.ts";
import { SHARED_KEY } from "../../../backends/windows/names.ts";
import { loadFfi } from "../../../backends/ffi/mod.ts";
import { type Host, keysOf, unlessMissing } from "./host.ts";
import { expect, explain, Impossible } from "./verification.ts";

/** Opens .NET's KeyGuard key and has it sign; it is neither made nor removed. */
export async function verifySharedKey({ verification, system }: Host): Promise<void> {
  await verification.check(`${SHARED_KEY} is found and signs`, async () => {
    const key = await unlessMissing(keysOf(system, "keyguard").find(SHARED_KEY));
    if (key === undefined) throw new Impossible("There is none, or not a KeyGuard one.");
    return `isolated by VBS; signs ${key.schemes.join(", ")}`;
  });
}

/** Loads the library and starts it; attestation itself takes an Azure host. */
export async function verifyAttestationLibrary(
  { verification }: Host,
  given: string | undefined,
): Promise<void> {
  await verification.check("AttestationClientLib.dll loads and starts", async () => {
    const ffi = await loadFfi();
    let loaded;
    try {
      loaded = openAttestation(ffi, libraryPath(given, process.execPath));
    } catch (error) {
      throw new Impossible(explain(error));
    }
    const library = new AttestationLibrary(loaded, () => {});
    const { startCode } = library;
    library.close();
    expect(startCode === 0, describeAttestationCode(startCode));
    return "and ends";
  });
}
