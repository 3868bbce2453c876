/**
 * The one error class of the library and the union of its codes.
 *
 * @module
 */

/**
 * Why something failed. Where MSAL has a code for the same thing, it is the same string.
 *
 * Input and configuration: `invalid_argument`, `invalid_managed_identity_endpoint`,
 * `invalid_json_claims_format`, `min_strength_not_met`, `mtls_pop_requires_keyguard`,
 * `mtls_pop_not_supported_for_environment`, `transport_not_available`, `closed`, `missing_dependency`.
 *
 * Metadata service: `managed_identity_request_failed`, `mtls_pop_token_not_supported_in_imds_v1`,
 * `attestation_failed`, `invalid_certificate`.
 *
 * Sources of managed identity: `managed_identity_all_sources_unavailable`,
 * `managed_identity_unreachable_network`, `managed_identity_response_parse_failure`,
 * `invalid_timestamp_format`, `invalid_token_provider_response_value`,
 * `invalid_managed_identity_id_type`, `user_assigned_managed_identity_not_supported`,
 * `user_assigned_managed_identity_not_configurable_at_runtime`.
 *
 * Token endpoint, as the server sent them (RFC 6749 section 5.2, RFC 8707 section 2, OpenID Connect
 * and Entra's own): `access_denied`, `invalid_client`, `invalid_grant`,
 * `invalid_request`, `invalid_scope`, `invalid_target`, `server_error`,
 * `temporarily_unavailable`, `unauthorized_client`, `unsupported_grant_type`; `oauth_error` for any
 * other `error` value. For its other answers: `token_type_missing`, `token_type_mismatch`,
 * `token_not_bound`, `token_audience_mismatch`, `invalid_token_response`, `service_not_available`,
 * `http_status_not_200`, `not_found`, `non_parsable_oauth_error`, `request_throttled`.
 *
 * Metadata of an authorization server (RFC 8414): `invalid_server_metadata`, `issuer_mismatch`.
 *
 * Confidential clients: `Client_Credentials_Required_In_Confidential_Client_Application`,
 * `cert_without_private_key`, `certificate_not_rsa`, `invalid_client_assertion`,
 * `invalid_credential_material`, `missing_tenanted_authority`, `mtls_certificate_not_provided`,
 * `wrong_password`.
 *
 * Resource servers: `invalid_token`, `jwks_unavailable`.
 *
 * Network: `request_timeout`, `network_unreachable`, `connection_reset`, `tls_credential_rejected`,
 * `tls_credential_suspect`, `tls_server_untrusted`, `tls_protocol_error`, `transport_failed` (the
 * runtime aborted a request of its own accord), `response_too_large`, `redirect_refused`.
 *
 * Keys, certificates and stores: `key_provider_unavailable`, `key_unusable`, `key_file_invalid`,
 * `unsupported_key`, `unsupported_scheme`, `certificate_key_mismatch`, `invalid_der`,
 * `invalid_pem`, `invalid_encoding`, `store_unavailable`, `store_lock_timeout`.
 */
export type ErrorCode =
  | "Client_Credentials_Required_In_Confidential_Client_Application"
  | "access_denied"
  | "attestation_failed"
  | "cert_without_private_key"
  | "certificate_key_mismatch"
  | "certificate_not_rsa"
  | "closed"
  | "connection_reset"
  | "http_status_not_200"
  | "invalid_argument"
  | "invalid_certificate"
  | "invalid_client"
  | "invalid_client_assertion"
  | "invalid_credential_material"
  | "invalid_der"
  | "invalid_encoding"
  | "invalid_grant"
  | "invalid_json_claims_format"
  | "invalid_managed_identity_endpoint"
  | "invalid_managed_identity_id_type"
  | "invalid_pem"
  | "invalid_request"
  | "invalid_scope"
  | "invalid_server_metadata"
  | "invalid_target"
  | "invalid_timestamp_format"
  | "invalid_token"
  | "invalid_token_provider_response_value"
  | "invalid_token_response"
  | "issuer_mismatch"
  | "jwks_unavailable"
  | "key_file_invalid"
  | "key_provider_unavailable"
  | "key_unusable"
  | "managed_identity_all_sources_unavailable"
  | "managed_identity_request_failed"
  | "managed_identity_response_parse_failure"
  | "managed_identity_unreachable_network"
  | "min_strength_not_met"
  | "missing_dependency"
  | "missing_tenanted_authority"
  | "mtls_certificate_not_provided"
  | "mtls_pop_not_supported_for_environment"
  | "mtls_pop_requires_keyguard"
  | "mtls_pop_token_not_supported_in_imds_v1"
  | "network_unreachable"
  | "non_parsable_oauth_error"
  | "not_found"
  | "oauth_error"
  | "redirect_refused"
  | "request_throttled"
  | "request_timeout"
  | "response_too_large"
  | "server_error"
  | "service_not_available"
  | "store_lock_timeout"
  | "store_unavailable"
  | "temporarily_unavailable"
  | "tls_credential_rejected"
  | "tls_credential_suspect"
  | "tls_protocol_error"
  | "tls_server_untrusted"
  | "token_audience_mismatch"
  | "token_not_bound"
  | "token_type_mismatch"
  | "token_type_missing"
  | "transport_failed"
  | "transport_not_available"
  | "unauthorized_client"
  | "unsupported_grant_type"
  | "unsupported_key"
  | "unsupported_scheme"
  | "user_assigned_managed_identity_not_configurable_at_runtime"
  | "user_assigned_managed_identity_not_supported"
  | "wrong_password";

/** What a {@linkcode KeyboundError} carries besides its code and message. */
export interface ErrorDetails {
  /** The error behind this one. */
  cause?: unknown;
  /** Whether the same call may succeed later without a change of input. @default false */
  retryable?: boolean | undefined;
  /** HTTP status of the answer that failed, where there was one. */
  status?: number | undefined;
  /** Correlation id (UUID) of the acquisition: the one every request of it carried. */
  correlationId?: string | undefined;
  /** Where it failed: the managed-identity source (`Imds`) or the endpoint's role (`TokenEndpoint`). */
  source?: string | undefined;
  /** The server's own `error` string, where `code` is `oauth_error`. */
  oauthError?: string | undefined;
  /** Numeric AADSTS codes of the answer (`error_codes`). */
  errorCodes?: readonly number[] | undefined;
  /** `suberror` of the answer. */
  suberror?: string | undefined;
  /** Claims challenge of the answer, to be passed as `claims` to the next acquisition. */
  claims?: string | undefined;
  /** Milliseconds that the server asked to wait (`Retry-After`). */
  retryAfter?: number | undefined;
}

/**
 * Every failure of this library, cancellation apart (that surfaces as the signal's own reason).
 *
 * `message` says what to do next and never holds a token, assertion, key, PIN or response body.
 *
 * @example
 * ```ts
 * try {
 *   await identity.getToken({ resource: "https://vault.azure.net" });
 * } catch (error) {
 *   if (error instanceof KeyboundError && error.retryable) scheduleAnotherTry();
 *   else throw error;
 * }
 * ```
 */
export class KeyboundError extends Error {
  /** Stable machine-readable reason. */
  readonly code: ErrorCode;
  /** Whether the same call may succeed later without a change of input. */
  readonly retryable: boolean;
  /** HTTP status of the answer that failed. */
  declare readonly status?: number;
  /** Correlation id (UUID) of the acquisition. */
  declare readonly correlationId?: string;
  /** Where it failed. */
  declare readonly source?: string;
  /** The server's own `error` string, where `code` is `oauth_error`. */
  declare readonly oauthError?: string;
  /** Numeric AADSTS codes of the answer. */
  declare readonly errorCodes?: readonly number[];
  /** `suberror` of the answer. */
  declare readonly suberror?: string;
  /** Claims challenge of the answer. */
  declare readonly claims?: string;
  /** Milliseconds that the server asked to wait. */
  declare readonly retryAfter?: number;

  /** An error with this code, this advice and these details; undefined ones are left out. */
  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    const { cause, retryable = false, ...rest } = details;
    super(message, cause === undefined ? {} : { cause });
    this.name = "KeyboundError";
    this.code = code;
    this.retryable = retryable;
    for (const [name, value] of Object.entries(rest)) {
      if (value !== undefined) Object.defineProperty(this, name, { value, enumerable: true });
    }
  }
}

/** Whether `error` is a {@linkcode KeyboundError}, with this code if one is given. */
export function isKeyboundError(error: unknown, code?: ErrorCode): error is KeyboundError {
  return error instanceof KeyboundError && (code === undefined || error.code === code);
}
