/**
 * `CRYPT_KEY_PROV_INFO`: the property of a certificate that says where its key is.
 *
 * @module
 */

import type { Bytes } from "../../src/encoding.ts";
import type { KeyContainer } from "../../src/keys.ts";
import { type Layout, layout, type Platform } from "../ffi/mod.ts";
import { NCRYPT } from "./constants.ts";
import { fromWide, wide } from "../ffi/wide_text.ts";

const FIELDS = {
  container: "address",
  provider: "address",
  type: "u32",
  flags: "u32",
  parameterCount: "u32",
  parameters: "address",
  keySpec: "u32",
} as const;

function structOf(platform: Platform): Layout<typeof FIELDS> {
  return layout(FIELDS, platform);
}

/** The struct and, behind it, the names that it points to; `at` tells where the bytes lie. */
export function encodeKeyProvInfo(
  { container, provider, providerType, keySpec, machine }: KeyContainer,
  platform: Platform,
  at: (bytes: Uint8Array) => bigint,
): Bytes {
  const struct = structOf(platform);
  const [name, providerName] = [wide(container), wide(provider)];
  const bytes = new Uint8Array(struct.size + name.length + providerName.length);
  const names = at(bytes) + BigInt(struct.size);
  bytes.set(struct.encode({
    container: names,
    provider: names + BigInt(name.length),
    type: providerType,
    flags: machine ? NCRYPT.MACHINE_KEY : 0,
    keySpec,
  }));
  bytes.set(name, struct.size);
  bytes.set(providerName, struct.size + name.length);
  return bytes;
}

/**
 * What a property says that lies at `address`; `undefined` where it isn't whole or points out of
 * itself: whoever wrote the certificate wrote it, too.
 */
export function decodeKeyProvInfo(
  bytes: Bytes,
  platform: Platform,
  address: bigint,
): KeyContainer | undefined {
  const struct = structOf(platform);
  if (bytes.length < struct.size) return undefined;
  const info = struct.decode(bytes);
  const text = (pointer: bigint) => {
    const offset = pointer - address;
    const isInside = offset >= struct.size && offset < bytes.length;
    return isInside ? fromWide(bytes, Number(offset)) : "";
  };
  const [container, provider] = [text(info.container), text(info.provider)];
  if (container === "" || provider === "") return undefined;
  const machine = (info.flags & NCRYPT.MACHINE_KEY) !== 0;
  return { container, provider, providerType: info.type, keySpec: info.keySpec, machine };
}
