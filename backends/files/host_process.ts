/**
 * This process and its neighbours, as the host tells of them.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { readFile, readlink } from "node:fs/promises";
import { hostname } from "node:os";
import process from "node:process";
import { errorCode } from "./file_system.ts";
import { type PidState, type ProcessIdentity, UNKNOWN } from "./lock_owner.ts";

/** This process. What the host or the runtime's permissions don't tell is `-`. */
export async function identifyProcess(): Promise<ProcessIdentity> {
  const { pid } = process;
  const [host, state] = await Promise.all([identifyHost(), pidState(pid)]);
  const startTime = state.state === "present" ? state.startTime : UNKNOWN;
  // Elsewhere pids are the host's, and one boot can't be told from the next.
  if (process.platform !== "linux") return { host, boot: "0", pidNamespace: "0", pid, startTime };
  const [boot, pidNamespace] = await Promise.all([
    text(readFile("/proc/sys/kernel/random/boot_id", "utf8"), /^([0-9a-f-]{36})\s*$/),
    text(readlink("/proc/self/ns/pid"), /^pid:\[(\d{1,20})\]$/),
  ]);
  return { host, boot: boot.replaceAll("-", "") || UNKNOWN, pidNamespace, pid, startTime };
}

/** What this host says of a pid. A zombie has ended, though nobody has fetched its status yet. */
export async function pidState(pid: number): Promise<PidState> {
  if (process.platform === "linux") {
    try {
      return parseStat(await readFile(`/proc/${pid}/stat`, "utf8"));
    } catch {
      // Where /proc is unmounted or out of bounds, this says nothing of the process.
    }
  }
  try {
    process.kill(pid, 0);
    return { state: "present", startTime: UNKNOWN };
  } catch (error) {
    const code = errorCode(error);
    if (code === "ESRCH") return { state: "absent" };
    return code === "EPERM" ? { state: "present", startTime: UNKNOWN } : { state: "unknown" };
  }
}

/** Fields 3 (state) and 22 (start time) of `/proc/<pid>/stat`; field 2 may hold anything. */
export function parseStat(stat: string): PidState {
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [state, startTime] = [fields[0], fields[19]];
  if (startTime === undefined || !/^\d{1,20}$/.test(startTime)) return { state: "unknown" };
  return state === "Z" || state === "X" ? { state: "absent" } : { state: "present", startTime };
}

/** A name of its own for each host; hosts cloned with name and machine id pass for one. */
async function identifyHost(): Promise<string> {
  try {
    const name = hostname();
    const machineId = await readFile("/etc/machine-id", "utf8").catch(() => "");
    return createHash("sha256").update(`${name}\n${machineId}`).digest("hex").slice(0, 16);
  } catch {
    return UNKNOWN;
  }
}

async function text(reading: Promise<string>, pattern: RegExp): Promise<string> {
  try {
    return pattern.exec(await reading)?.[1] ?? UNKNOWN;
  } catch {
    return UNKNOWN;
  }
}
