/**
 * PEM (RFC 7468): DER as lines of text between a BEGIN and an END.
 *
 * @module
 */

import { base64, type Bytes, fromBase64 } from "../encoding.ts";
import { KeyboundError } from "../errors.ts";

/** Longest text that {@linkcode decodePem} takes, UTF-16 code units. */
export const MAX_PEM_LENGTH = 1_048_576;

/** `der` under this label (`CERTIFICATE`, say), in lines of 64 characters, each ended by LF. */
export function encodePem(label: string, der: Uint8Array): string {
  const lines = base64(der).replace(/.{1,64}/g, "$&\n");
  return `-----BEGIN ${label}-----\n${lines}-----END ${label}-----\n`;
}

/**
 * The DER of every block with this label, in order; blocks with other labels and the text around
 * them are passed over. Any line end and blanks around a line are fine.
 *
 * Throws `invalid_pem` where there is no such block, a block isn't ended by its own label, is empty
 * or isn't canonical base64 (headers of RFC 1421 included), and for more than 1 MiB of text.
 */
export function decodePem(text: string, label: string): Bytes[] {
  if (text.length > MAX_PEM_LENGTH) throw invalidPem("The text is longer than 1 MiB");
  const blocks: Bytes[] = [];
  let open: string | undefined;
  let body = "";
  for (const line of text.split(/[\r\n]+/).map((line) => line.trim())) {
    const [, edge, edgeLabel] = /^-----(BEGIN|END) (.*)-----$/.exec(line) ?? [];
    if (edge === undefined) {
      body += line;
    } else if ((edge === "BEGIN") !== (open === undefined)) {
      throw invalidPem("A block is begun twice or ended without a beginning");
    } else if (edge === "BEGIN") {
      open = edgeLabel;
      body = "";
    } else if (edgeLabel !== open) {
      throw invalidPem("A block is ended by another label");
    } else {
      if (open === label) blocks.push(decodeBody(body));
      open = undefined;
    }
  }
  if (open !== undefined) throw invalidPem("A block has no end");
  if (blocks.length === 0) throw invalidPem(`The text has no block '${label}'`);
  return blocks;
}

function decodeBody(body: string): Bytes {
  let der: Bytes;
  try {
    der = fromBase64(body);
  } catch (cause) {
    throw invalidPem("A block is not base64", cause);
  }
  // Other bits behind the last byte would give one certificate several texts.
  if (der.length === 0 || base64(der) !== body) throw invalidPem("A block is not canonical base64");
  return der;
}

function invalidPem(reason: string, cause?: unknown): KeyboundError {
  return new KeyboundError("invalid_pem", `${reason}. Pass PEM as RFC 7468 has it.`, { cause });
}
