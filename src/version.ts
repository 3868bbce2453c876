/**
 * The library's own name and version, as token endpoints are told.
 *
 * @module
 */

/** Version of this library (semver). */
export const VERSION = "0.1.0";
