/**
 * The forms in which sources tell when a token expires (protocol.md section 7.8).
 *
 * @module
 */

/** Whole numbers below this are seconds from now, others since the epoch: 1 January 2001. */
const FIRST_EPOCH_SECOND = 978_307_200;

const ISO_8601 =
  /^(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?(Z|[+-]\d\d:?\d\d)?$/i;

/**
 * The moment meant, in milliseconds since the epoch: whole seconds as number or text, or an ISO 8601
 * date-time (UTC where it doesn't say); `undefined` for anything else.
 */
export function parseExpiry(value: unknown, now: number): number | undefined {
  if (typeof value !== "string" && typeof value !== "number") return undefined;
  const text = String(value).trim();
  if (/^\d{1,12}$/.test(text)) {
    const seconds = Number(text);
    return seconds < FIRST_EPOCH_SECOND ? now + seconds * 1000 : seconds * 1000;
  }
  const match = ISO_8601.exec(text);
  return match === null ? undefined : dateTime(match.slice(1));
}

function dateTime(groups: readonly (string | undefined)[]): number | undefined {
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = groups.slice(0, 6)
    .map((group) => Number(group ?? 0));
  const date = Date.UTC(year, month - 1, day);
  // Runtimes differ on a 30th of February: roll over or refuse. Here it is refused.
  const given = `${groups[0]}-${groups[1]}-${groups[2]}`;
  if (year === 0 || !new Date(date).toISOString().startsWith(given)) return undefined;
  const offset = offsetMinutes(groups[7]);
  if (hour > 23 || minute > 59 || second > 59 || offset === undefined) return undefined;
  const milliseconds = Math.floor(Number(`0.${groups[6] ?? 0}`) * 1000);
  return date + ((hour * 60 + minute - offset) * 60 + second) * 1000 + milliseconds;
}

function offsetMinutes(zone: string | undefined): number | undefined {
  const [, sign, hours, minutes] = /^([+-])(\d\d):?(\d\d)$/.exec(zone ?? "") ?? [];
  if (sign === undefined) return 0;
  if (Number(hours) > 14 || Number(minutes) > 59) return undefined;
  return (sign === "-" ? -1 : 1) * (Number(hours) * 60 + Number(minutes));
}
