/**
 * The friendly name of a stored certificate, which .NET's library reads and writes as well:
 * `MSAL|alias=<alias>|ep=<endpoint>` (protocol.md section 3.4).
 *
 * @module
 */

/** What a friendly name says. */
export interface FriendlyName {
  /** `<identity>#att=0|1`. */
  readonly alias: string;
  /** Base URL of the token endpoint, tenant included. */
  readonly endpoint: string;
}

const PREFIX = "MSAL|";

/** The friendly name; `undefined` for parts that are blank or hold `|`, CR, LF or NUL. */
export function encodeFriendlyName(name: FriendlyName): string | undefined {
  const [alias, endpoint] = [name.alias.trim(), name.endpoint.trim()];
  const isBad = (part: string) => part === "" || /[|\r\n\0]/.test(part);
  return isBad(alias) || isBad(endpoint) ? undefined : `${PREFIX}alias=${alias}|ep=${endpoint}`;
}

/**
 * What a friendly name says; `undefined` for one that isn't ours. Tags that aren't known are
 * passed over; of several alike the last one counts.
 */
export function decodeFriendlyName(text: string): FriendlyName | undefined {
  if (!text.startsWith(PREFIX)) return undefined;
  const tags = new Map<string, string>();
  for (const tag of text.split("|")) {
    const end = tag.indexOf("=");
    if (end > 0) tags.set(tag.slice(0, end).trim(), tag.slice(end + 1).trim());
  }
  const [alias, endpoint] = [tags.get("alias"), tags.get("ep")];
  return alias && endpoint ? { alias, endpoint } : undefined;
}
