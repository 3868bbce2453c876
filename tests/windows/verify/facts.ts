/**
 * What kind of host this is, without what would name it.
 *
 * @module
 */

import { execFile } from "node:child_process";
import { arch, homedir, hostname, release, userInfo, version } from "node:os";
import process from "node:process";
import { promisify } from "node:util";
import { loadFfi } from "../../../backends/ffi/mod.ts";

/** Milliseconds that PowerShell has. */
const PATIENCE = 30_000;

/** Of `Win32_DeviceGuard`: what runs in the isolated user mode. */
const SERVICES: Readonly<Record<string, string>> = {
  "1": "Credential Guard",
  "2": "memory integrity",
  "3": "System Guard",
  "7": "Key Guard",
};

/** Facts by their name, in the order to show them. */
export async function hostFacts(): Promise<Record<string, string>> {
  return {
    Windows: `${version()} ${release()} ${arch()}${await isWine() ? " (it is Wine)" : ""}`,
    Runtime: runtime(),
    "VBS (0 off, 1 on, 2 running)": await deviceGuard("VirtualizationBasedSecurityStatus"),
    "VBS services": (await deviceGuard("SecurityServicesRunning")).split(" ")
      .map((number) => SERVICES[number] ?? number).join(", "),
  };
}

/** What no report may show. */
export function hiddenTexts(): readonly string[] {
  const own = [homedir(), hostname(), userInfo().username, process.cwd()];
  const names = ["COMPUTERNAME", "USERNAME", "USERDOMAIN", "USERDNSDOMAIN"];
  return [...own, ...names.map((name) => process.env[name] ?? "")];
}

/** Wine's ntdll.dll has a function that Windows' hasn't. */
async function isWine(): Promise<boolean> {
  try {
    return (await loadFfi()).open("ntdll.dll").has("wine_get_version");
  } catch {
    return false;
  }
}

function runtime(): string {
  const { deno, bun, node } = process.versions;
  if (deno !== undefined) return `Deno ${deno}`;
  return bun === undefined ? `Node ${node}` : `Bun ${bun}`;
}

async function deviceGuard(property: string): Promise<string> {
  const query =
    `(Get-CimInstance -Namespace root\\Microsoft\\Windows\\DeviceGuard Win32_DeviceGuard).${property} -join ' '`;
  try {
    const { stdout } = await promisify(execFile)(
      "powershell.exe",
      ["-NoProfile", "-NonInteractive", "-Command", query],
      { timeout: PATIENCE, windowsHide: true },
    );
    return stdout.trim() || "unknown";
  } catch {
    return "unknown";
  }
}
