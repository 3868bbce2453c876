/**
 * Abort signals as the Azure SDK has them.
 *
 * @module
 */

/** As much of an `AbortSignal` as the SDK promises. */
export interface AbortSignalLike {
  /** Whether it was aborted. */
  readonly aborted: boolean;
  /** Adds a listener. */
  addEventListener(type: "abort", listener: () => void): void;
  /** Takes it away. */
  removeEventListener(type: "abort", listener: () => void): void;
}

/** A signal that follows another one and a timeout. */
export interface LinkedSignal {
  /** The signal; its reason is an `AbortError`. */
  readonly signal: AbortSignal;
  /** Stops the clock; the other signal still counts. */
  stopClock(): void;
  /** Lets go of both. */
  release(): void;
}

/** A signal for one request. `timeout` in milliseconds; 0 is none. */
export function linkedSignal(
  other: AbortSignalLike | undefined,
  timeout: number = 0,
): LinkedSignal {
  const controller = new AbortController();
  const onAbort = () => controller.abort(abortError((other as Partial<AbortSignal>).reason));
  if (other?.aborted) onAbort();
  else other?.addEventListener("abort", onAbort);
  const timer = timeout > 0
    ? setTimeout(
      () => controller.abort(abortError(undefined, `no answer in ${timeout} ms`)),
      timeout,
    )
    : undefined;
  const stopClock = () => clearTimeout(timer);
  return {
    signal: controller.signal,
    stopClock,
    release() {
      stopClock();
      other?.removeEventListener("abort", onAbort);
    },
  };
}

/** What the SDK expects to be thrown where an operation was called off. */
export function abortError(cause: unknown, why?: string): Error {
  if (cause instanceof Error && cause.name === "AbortError") return cause;
  const message = why === undefined
    ? "The operation was aborted."
    : `The operation was aborted: ${why}.`;
  const error = new Error(message, cause === undefined ? {} : { cause });
  error.name = "AbortError";
  return error;
}
