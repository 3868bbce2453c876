/**
 * The credentials of one client over time: which one is in use, and whether another is to be had
 * when a server refuses it. An owner's certificate can't be re-minted; its owner can be asked again.
 *
 * @module
 */

import type { FlightContext } from "../binding/context.ts";
import type { Clock } from "../clock.ts";
import type { ClientCredential } from "../credential.ts";
import { type HealCause, mayRemint, remembered, type RemintHistory } from "../policy/healing.ts";
import { SingleFlight } from "../single_flight.ts";
import type { AssertionRequest, CredentialRequest } from "./credential_types.ts";
import { assertInForce, type Proof, type ProofSource } from "./proof.ts";

/** What the credentials of a client need. */
export interface CredentialsSetting {
  /** Where they come from. */
  readonly source: ProofSource;
  /** Time. */
  readonly clock: Clock;
  /** Milliseconds between two times that the source is asked again after a refusal. */
  readonly cooldown: number;
  /** Called when a certificate has a successor. */
  readonly onRotate: (thumbprint: string) => void;
  /** Called when a certificate was refused and has a successor; gives how many tokens went. */
  readonly onEvict: (thumbprint: string) => number;
}

/** What an assertion is asked with, known when it is needed. */
export type AssertionQuestion = () => Promise<
  Omit<AssertionRequest, keyof CredentialRequest>
>;

/** Asks for the client's credentials and remembers which one is in use. */
export class Credentials {
  readonly #setting: CredentialsSetting;
  readonly #flights = new SingleFlight<Proof | undefined>();
  #current: string | undefined;
  /** The certificate refused last, and the one that was given in its place. */
  #replaced: { readonly refused: string; readonly by: Proof } | undefined;
  #history: RemintHistory = {};

  /** Nothing has been asked yet. */
  constructor(setting: CredentialsSetting) {
    this.#setting = setting;
  }

  /**
   * What to prove the client with now.
   *
   * Rejects with `invalid_certificate` for a certificate that isn't in force,
   * `mtls_certificate_not_provided`, `invalid_client_assertion`, and whatever the source rejects with.
   */
  async current(question: AssertionQuestion, context: FlightContext): Promise<Proof> {
    const given = await this.#ask(question, context);
    const proof = this.#replacement(given) ?? given;
    const thumbprint = proof.credential?.thumbprint;
    const previous = this.#current;
    this.#current = thumbprint;
    if (previous !== undefined && previous !== thumbprint) this.#setting.onRotate(previous);
    return proof;
  }

  /**
   * What to prove the client with in place of a credential that was refused for this cause;
   * `undefined` where there is nothing else, or the source was asked again a short while ago.
   *
   * Rejects as {@linkcode Credentials.current} does.
   */
  async another(
    refused: ClientCredential,
    cause: HealCause,
    question: AssertionQuestion,
    context: FlightContext,
  ): Promise<Proof | undefined> {
    const { source } = this.#setting;
    if (source.isFixed) return undefined;
    const { thumbprint } = refused;
    if (this.#current !== thumbprint) return await this.#successor(thumbprint, question, context);
    const kind = cause === "key_dead" ? cause : "wire";
    let isMine = false;
    const found = await this.#flights.run(`${kind} ${thumbprint}`, async (signal) => {
      isMine = true;
      return await this.#seek(refused, cause, question, { ...context, signal });
    }, context.signal);
    // An assertion answers the question it was given for, and perhaps no other.
    if (found === undefined || isMine || found.assertion === undefined) return found;
    return await this.#successor(thumbprint, question, context);
  }

  /** Ends what is under way. */
  abortAll(reason: unknown): void {
    this.#flights.abortAll(reason);
  }

  async #seek(
    refused: ClientCredential,
    cause: HealCause,
    question: AssertionQuestion,
    context: FlightContext,
  ): Promise<Proof | undefined> {
    const { clock, cooldown, onEvict } = this.#setting;
    const isAllowed = mayRemint(this.#history, cause, clock.now(), cooldown);
    context.emit({ type: "heal", cause, outcome: isAllowed ? "started" : "cooldown" });
    if (!isAllowed) return undefined;
    const proof = await this.#ask(question, context, { refused, cause });
    this.#history = remembered(this.#history, cause, clock.now());
    const thumbprint = proof.credential?.thumbprint;
    if (thumbprint === refused.thumbprint) return undefined;
    this.#current = thumbprint;
    this.#replaced = { refused: refused.thumbprint, by: proof };
    context.emit({ type: "evict", reason: cause, tokens: onEvict(refused.thumbprint) });
    return proof;
  }

  /** A function that isn't told gives the refused certificate still, until its owner replaces it. */
  #replacement({ kind, credential }: Proof): Proof | undefined {
    const { refused, by } = this.#replaced ?? {};
    const isRefused = kind === "certificate" && credential?.thumbprint === refused;
    const end = by?.credential?.leaf.notAfter ?? 0;
    return isRefused && this.#setting.clock.now() < end ? by : undefined;
  }

  /** What is in use now, if that isn't the refused one any more. */
  async #successor(
    refused: string,
    question: AssertionQuestion,
    context: FlightContext,
  ): Promise<Proof | undefined> {
    const proof = await this.current(question, context);
    return proof.credential?.thumbprint === refused ? undefined : proof;
  }

  async #ask(
    question: AssertionQuestion,
    { correlationId, signal }: FlightContext,
    refusal: Pick<CredentialRequest, "refused" | "cause"> = {},
  ): Promise<Proof> {
    const { source, clock } = this.#setting;
    const request = { ...refusal, correlationId, signal };
    const proof = source.kind === "certificate"
      ? await source.ask(request)
      : await source.ask({ ...await question(), ...request });
    assertInForce(proof, clock.now());
    return proof;
  }
}
