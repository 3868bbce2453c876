/**
 * HTTPS to a server that is known by its certificate's thumbprint and by nothing else.
 *
 * @module
 */

import { KeyboundError } from "../../src/errors.ts";

/**
 * A fetch for servers with this SHA-1 thumbprint (40 hex digits, any case). Each request has a
 * connection of its own. Throws `invalid_argument` for text that is no thumbprint.
 *
 * The fetch rejects with `invalid_argument` for a URL that isn't https, `tls_server_untrusted` for
 * another certificate, the signal's reason, or the runtime's error.
 */
export function pinnedFetch(thumbprint: string): typeof globalThis.fetch {
  if (!/^[0-9a-f]{40}$/i.test(thumbprint)) {
    throw new KeyboundError("invalid_argument", "A SHA-1 thumbprint has 40 hex digits.");
  }
  const pin = Uint8Array.from(thumbprint.match(/../g)!, (digits) => parseInt(digits, 16));
  return async (input, init) => {
    const request = new Request(input, init);
    if (!request.url.startsWith("https:")) {
      throw new KeyboundError("invalid_argument", "A pinned certificate needs an https URL.");
    }
    const body = new Uint8Array(await request.arrayBuffer());
    // Loaded with what it stands on when it is needed.
    const { pinnedExchange } = await import("./pinned_exchange.ts");
    return await pinnedExchange(request, body, pin);
  };
}
