/**
 * The switch of .NET's library that keeps certificates out of the store of Windows.
 *
 * @module
 */

/**
 * Whether `MSAL_MI_DISABLE_PERSISTENT_CERT_CACHE` is `1` or `true`, in whatever case
 * (protocol.md section 3.4).
 */
export function isStoreDisabled(
  environment: Readonly<Record<string, string | undefined>>,
): boolean {
  return /^(1|true)$/i.test(environment["MSAL_MI_DISABLE_PERSISTENT_CERT_CACHE"] ?? "");
}
