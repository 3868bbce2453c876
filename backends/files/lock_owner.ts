/**
 * Who holds a lock, as the name of its token tells it, and whether that process still lives.
 *
 * @module
 */

/** A process, so that another process can tell whether it still runs. `-` is unknown. */
export interface ProcessIdentity {
  /** The host: 16 hex digits of a hash of its name and machine id. */
  readonly host: string;
  /** The boot of its kernel: hex digits of the boot id, `0` where there is no such thing. */
  readonly boot: string;
  /** Its pid namespace, a decimal number, `0` where there is no such thing. */
  readonly pidNamespace: string;
  /** Its process id. */
  readonly pid: number;
  /** When it was started, in clock ticks after boot, decimal. */
  readonly startTime: string;
}

/** A holder: a process, and a nonce for one acquisition of one lock. */
export interface LockOwner extends ProcessIdentity {
  /** 16 hex digits that never come again. */
  readonly nonce: string;
}

/** What can be said of a pid of this host. */
export type PidState =
  | { readonly state: "absent" }
  | { readonly state: "present"; readonly startTime: string }
  | { readonly state: "unknown" };

/** Whether a holder still lives; of one that is `unknown` the heartbeat has to tell. */
export type Liveness = "alive" | "dead" | "unknown";

/** What is not known of a process. */
export const UNKNOWN = "-";

const TOKEN =
  /^held\.([0-9a-f]{16}|-)\.([0-9a-f]{1,32}|-)\.(\d{1,20}|-)\.(\d{1,10})\.(\d{1,20}|-)\.([0-9a-f]{16})$/;

/** The name of the token while `owner` holds it. */
export function tokenOf({ host, boot, pidNamespace, pid, startTime, nonce }: LockOwner): string {
  return ["held", host, boot, pidNamespace, pid, startTime, nonce].join(".");
}

/** The owner of a token by its name; `undefined` for any other name. */
export function ownerOf(token: string): LockOwner | undefined {
  const match = TOKEN.exec(token);
  if (match === null) return undefined;
  const [, host, boot, pidNamespace, pid, startTime, nonce] = match as unknown as string[];
  return {
    host: host!,
    boot: boot!,
    pidNamespace: pidNamespace!,
    pid: Number(pid),
    startTime: startTime!,
    nonce: nonce!,
  };
}

/** Whether a pid of `owner` means the same process to `self`. */
export function isComparable(owner: ProcessIdentity, self: ProcessIdentity): boolean {
  return same(owner.host, self.host) && same(owner.boot, self.boot) &&
    same(owner.pidNamespace, self.pidNamespace);
}

/**
 * Whether `owner` lives, as `self` sees it. `pid` is what this host says of the owner's pid; it
 * counts only where the two are comparable. Death is for ever: no later look can take it back.
 */
export function judgeOwner(
  owner: ProcessIdentity,
  self: ProcessIdentity,
  pid: PidState,
): Liveness {
  if (!isComparable(owner, self)) {
    const rebooted = same(owner.host, self.host) && owner.boot !== UNKNOWN &&
      self.boot !== UNKNOWN && owner.boot !== self.boot;
    return rebooted ? "dead" : "unknown";
  }
  if (pid.state === "absent") return "dead";
  // A pid alone may have been given to another process since.
  if (pid.state === "unknown" || pid.startTime === UNKNOWN || owner.startTime === UNKNOWN) {
    return "unknown";
  }
  return pid.startTime === owner.startTime ? "alive" : "dead";
}

function same(a: string, b: string): boolean {
  return a === b && a !== UNKNOWN;
}
