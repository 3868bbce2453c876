/**
 * What keys this Windows makes, what of ours is in its store, and which TLS it speaks.
 *
 * @module
 */

import { release } from "node:os";
import process from "node:process";
import type { DetectedHost } from "../../backends/detect.ts";
import {
  examineWindows,
  type KindOfKey,
  type WindowsExamination,
} from "../../backends/windows/examination.ts";
import { windowsFacts } from "../certs/place.ts";
import { reasonOf } from "../host.ts";
import { type Finding, finding } from "./finding.ts";
import { certificateFinding } from "./keys.ts";

/** From this build on Windows has TLS 1.3: Windows Server 2022, and Windows 11 after it. */
const TLS_1_3_BUILD = 20348;

/** Looks at Windows where this is one; nothing elsewhere. */
export async function tryWindows({ keys }: DetectedHost): Promise<Finding[]> {
  if (process.platform !== "win32") return [];
  if (keys.name !== "windows") return [unusedFinding(keys.name)];
  try {
    const examination = await examineWindows();
    return [...await windowsFindings(examination, Date.now()), tlsFinding(release())];
  } catch (error) {
    return [finding("windows", "failure", reasonOf(error), "Look at the user's store and keys.")];
  }
}

/** What is to be said where the keys are those of another provider: by choice, or for want of koffi. */
export function unusedFinding(provider: string): Finding {
  return provider === "webcrypto"
    ? finding(
      "windows",
      "warning",
      "its keys aren't used; see 'keys' for the reason",
      "Install koffi (Node), or allow native functions (Deno: --allow-ffi).",
    )
    : finding("windows", "info", `its keys aren't used: '${provider}' keys were asked for`);
}

/** What is to be said of keys and certificates. `now`: milliseconds since the Unix epoch. */
export async function windowsFindings(
  { kinds, certificates }: WindowsExamination,
  now: number,
): Promise<Finding[]> {
  const check = "windows: store";
  const kept = (await windowsFacts(certificates, now)).map(certificateFinding);
  return [
    ...vbsFindings(kinds),
    ...kinds.map(kindFinding),
    ...(kept.length > 0
      ? kept
      : [finding(check, "ok", "no certificate of ours in the user's store")]),
  ];
}

/** Only an attempt to make such a key tells for certain. */
function vbsFindings(kinds: readonly KindOfKey[]): Finding[] {
  const check = "windows: VBS";
  const keyguard = kinds.find(({ strength }) => strength === "keyguard");
  if (keyguard === undefined) return [];
  if (keyguard.obstacle === undefined) return [finding(check, "ok", "on: it isolates keys")];
  if (!keyguard.lacksVbs) return [finding(check, "info", "not known: see KeyGuard")];
  const advice =
    "Attested tokens need it: a VM with Trusted Launch, or Credential Guard turned on.";
  return [finding(check, "info", "off: this Windows doesn't isolate keys", advice)];
}

const NAMES: Readonly<Record<KindOfKey["strength"], string>> = {
  keyguard: "KeyGuard",
  hardware: "TPM",
  software: "software",
};

function kindFinding({ strength, obstacle }: KindOfKey): Finding {
  const check = `windows: ${NAMES[strength]}`;
  if (obstacle === undefined) return finding(check, "ok", "a key was made, signed, and destroyed");
  return strength === "software"
    ? finding(check, "failure", obstacle, "Is the service 'KeyIso' running, and the profile whole?")
    : finding(check, "info", `no such keys: ${obstacle}`);
}

/** Which versions SChannel has in a Windows of this release, such as `10.0.20348`. */
export function tlsFinding(version: string): Finding {
  const build = Number(version.split(".")[2]);
  const has = build >= TLS_1_3_BUILD ? "TLS 1.2 and 1.3" : "TLS 1.2; 1.3 comes with build 20348";
  return finding("windows: TLS", "ok", `${has} (this is ${version})`);
}
