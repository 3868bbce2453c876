/**
 * A client's certificate, with its key, out of Azure Key Vault.
 *
 * @module
 */

import * as v from "valibot";
import { pkcs12Credential } from "../../backends/pkcs12/mod.ts";
import type { ClientCredential } from "../../src/credential.ts";
import { fromBase64 } from "../../src/encoding.ts";
import type { CredentialRequest } from "../../src/entra/credential_types.ts";
import { pemCredential } from "../../src/entra/pem_credential.ts";
import { KeyboundError } from "../../src/errors.ts";
import { fields } from "../../src/parse.ts";
import { isInForce } from "../../src/policy/renewal.ts";
import { SingleFlight } from "../../src/single_flight.ts";
import type { BindingWish } from "../../src/token/result.ts";
import type { VaultOptions } from "./options.ts";
import { vaultOf } from "./vault.ts";

/** Options of {@linkcode keyVaultCertificate}. Times are in milliseconds. */
export interface KeyVaultCertificateOptions<Wish extends BindingWish = "mtls_pop">
  extends VaultOptions<Wish> {
  /** Password of the PKCS#12 file; the vault's own files have the empty one. @default "" */
  password?: string;
  /** After how long the vault is asked whether there is a new version. @default 3600000 (1 hour) */
  refreshInterval?: number;
}

const Bundle = fields({ value: v.string(), contentType: v.optional(v.string()) });

/**
 * What `credential` of a confidential client takes: a function that gives the certificate of this
 * name with its key, and looks for a newer version every hour, or when a server refuses the one it
 * gave. The vault keeps a certificate's key in the secret of the same name, as PKCS#12 or PEM. The
 * key is then in this process's memory; see `keyVaultKey` for one that stays in the vault.
 *
 * While the vault is out of reach, the certificate that was read last is used for as long as it is
 * in force.
 *
 * Throws `invalid_argument`. The function rejects with `not_found`, `key_provider_unavailable` for
 * any trouble with the vault, `invalid_credential_material` for a secret that is no certificate with
 * its key (see `pemCredential` and `pkcs12Credential` for more), `missing_dependency` for PKCS#12
 * without pkijs, and the signal's reason.
 *
 * @example
 * ```ts
 * const credential = keyVaultCertificate({ vaultUrl, name: "client-certificate", identity });
 * const client = confidentialClient({ ...host, clientId, authority, credential });
 * ```
 */
export function keyVaultCertificate<Wish extends BindingWish = "mtls_pop">(
  options: KeyVaultCertificateOptions<Wish>,
): (request: Partial<CredentialRequest>) => Promise<ClientCredential> {
  const { refreshInterval = 3_600_000, password = "", version } = options;
  const vault = vaultOf(options);
  if (!Number.isFinite(refreshInterval) || refreshInterval <= 0) {
    throw new KeyboundError("invalid_argument", "'refreshInterval' must be a positive number.");
  }
  const { clock, crypto, name } = vault;
  const flights = new SingleFlight<ClientCredential>();
  let latest: { readonly credential: ClientCredential; readonly readOn: number } | undefined;

  const read = async (signal: AbortSignal): Promise<ClientCredential> => {
    const bundle = await vault.ask(Bundle, {
      kind: "secrets",
      permission: "Key Vault Secrets User",
      path: version === undefined ? "" : `/${version}`,
      signal,
    });
    const credential = await credentialOf(bundle, name, password, crypto);
    // The same certificate stays the same object: its connections are kept by it.
    const same = latest?.credential.thumbprint === credential.thumbprint ? latest : undefined;
    latest = { credential: same?.credential ?? credential, readOn: clock.now() };
    return latest.credential;
  };

  return async ({ refused, signal }) => {
    const isRefused = refused !== undefined && latest?.credential.thumbprint === refused.thumbprint;
    const age = latest === undefined ? Infinity : clock.now() - latest.readOn;
    if (latest !== undefined && !isRefused && age >= 0 && age < refreshInterval) {
      return latest.credential;
    }
    try {
      return await flights.run("", read, signal);
    } catch (error) {
      signal?.throwIfAborted();
      const isAway = error instanceof KeyboundError && error.code === "key_provider_unavailable";
      const usable = latest !== undefined && isInForce(latest.credential.leaf, clock.now());
      if (!isAway || isRefused || !usable) throw error;
      return latest!.credential;
    }
  };
}

async function credentialOf(
  { value, contentType }: v.InferOutput<typeof Bundle>,
  name: string,
  password: string,
  crypto: Crypto,
): Promise<ClientCredential> {
  switch (contentType) {
    case "application/x-pkcs12":
      return await pkcs12Credential(base64Of(value, name), { password, crypto });
    case "application/x-pem-file":
      return await pemCredential(value, { crypto });
    default:
      throw notCertificate(name);
  }
}

function base64Of(value: string, name: string): Uint8Array {
  try {
    return fromBase64(value);
  } catch {
    // Without its cause, which may quote the value.
    throw notCertificate(name);
  }
}

function notCertificate(name: string): KeyboundError {
  return new KeyboundError(
    "invalid_credential_material",
    `The secret '${name}' is no certificate with its key: its type must be application/x-pkcs12 ` +
      "or application/x-pem-file. A certificate's own secret is, if its key is exportable.",
  );
}
