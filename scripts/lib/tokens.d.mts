/**
 * The types of `tokens.mjs`, for the tests.
 *
 * @module
 */

/** A token that nobody else uses. */
export interface Token {
  /** Absolute path of the PKCS#11 module. */
  readonly library: string;
  /** The token's label. */
  readonly label: string;
  /** The user's PIN. */
  readonly pin: string;
  /** The security officer's PIN. */
  readonly soPin: string;
  /** Where everything of it is. */
  readonly directory: string;
  /** What the module must find in the environment of its process, before it is loaded. */
  readonly env: Readonly<Record<string, string>>;
  /** Ends its programs and removes its folder. */
  destroy(): Promise<void>;
}

/** A TPM's power and its owner's hierarchy. */
export interface TpmSwitch {
  /** Takes the TPM away. */
  stop(): Promise<void>;
  /** Brings it back as it was. */
  start(): Promise<void>;
  /** Throws away everything of the owner, as `tpm2_clear` does. */
  clear(): Promise<void>;
  /** Sets the token up anew after that, with nothing in it. */
  renew(): Promise<void>;
}

/** The module of SoftHSM, `undefined` where it or its program isn't installed. */
export function softhsmLibrary(): string | undefined;

/** The module of tpm2-pkcs11, `undefined` where it or what is needed to try it isn't installed. */
export function tpm2Library(): string | undefined;

/** A new SoftHSM token. */
export function createSoftHsmToken(): Promise<Token>;

/** A new software TPM on loopback and a token of tpm2-pkcs11 on it. */
export function createTpmToken(): Promise<Token & TpmSwitch>;
