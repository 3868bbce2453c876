/**
 * Damage to valid inputs: bits, bytes, lengths, numbers, tokens, parts of other inputs.
 *
 * @module
 */

import { type Bytes, concat, utf8 } from "../../../src/encoding.ts";
import type { Random } from "./random.ts";

/** Longest input that is made, bytes. */
export const MAX_INPUT = 131_072;

/** Most damages to one input. */
const MAX_DAMAGES = 6;

/** What an input is made from. */
export interface Material {
  /** Inputs that mean something; at least one. */
  readonly seeds: readonly Bytes[];
  /** Words that mean something to who reads the input. */
  readonly tokens: readonly Bytes[];
}

/** One kind of damage. */
type Damage = (input: Bytes, random: Random, material: Material) => Bytes;

/** Octets that mean something in most formats: ends, signs, lengths, openings. */
const TELLING = [
  0,
  1,
  2,
  4,
  0x0a,
  0x20,
  0x22,
  0x2c,
  0x30,
  0x3d,
  0x7f,
  0x80,
  0x81,
  0x84,
  0xfe,
  0xff,
];

/** Numbers on the edge of something. */
const NUMBERS = ["-1", "0", "1", "1.5", "1e400", "4294967296", "9007199254740993", "99999999999"];

const DAMAGES: readonly Damage[] = [
  function flipBit(input, random) {
    const changed = input.slice();
    const at = random.below(input.length);
    if (at < changed.length) changed[at] = changed[at]! ^ (1 << random.below(8));
    return changed;
  },
  function overwrite(input, random) {
    return splice(input, random.below(input.length), 1, octets(random, 1));
  },
  function insert(input, random) {
    return splice(input, random.below(input.length + 1), 0, octets(random, 1 + random.below(4)));
  },
  function leaveOut(input, random) {
    return splice(input, random.below(input.length), 1 + extent(random, input.length));
  },
  function cutShort(input, random) {
    return input.slice(0, random.below(input.length + 1));
  },
  function changeLength(input, random) {
    const at = random.below(input.length);
    const step = random.pick([1, -1, 0x10, -0x10]);
    return splice(input, at, 1, Uint8Array.of((input[at] ?? 0) + step));
  },
  function lengthenLength(input, random) {
    const long = random.pick([[0x80], [0x81, 0x80], [0x82, 1, 0], [0x84, 0xff, 0xff, 0xff, 0xff]]);
    return splice(input, random.below(input.length), 1, Uint8Array.from(long));
  },
  function changeNumber(input, random) {
    const digits = runsOfDigits(input);
    if (digits.length === 0) return input;
    const [start, length] = random.pick(digits);
    return splice(input, start, length, utf8(random.pick(NUMBERS)));
  },
  function putToken(input, random, { tokens }) {
    const token = tokens.length === 0 ? octets(random, 1) : random.pick(tokens);
    const drop = random.oneIn(2) ? token.length : 0;
    return splice(input, random.below(input.length + 1), drop, token);
  },
  function repeat(input, random) {
    const start = random.below(input.length);
    const part = input.subarray(start, start + 1 + extent(random, input.length));
    const times = random.oneIn(8) ? random.below(5000) : 1 + random.below(8);
    return splice(input, start, 0, repeated(part, times));
  },
  function cross(input, random, { seeds }) {
    const other = random.pick(seeds);
    const from = random.below(other.length);
    const part = other.subarray(from, from + 1 + random.below(other.length - from));
    return splice(input, random.below(input.length + 1), extent(random, input.length), part);
  },
  function nest(input, random, { tokens }) {
    const openings = tokens.filter((token) => token.length <= 8);
    if (openings.length === 0 || !random.oneIn(4)) return input;
    const times = 1 + random.below(random.oneIn(8) ? 6000 : 40);
    return concat(repeated(random.pick(openings), times), input);
  },
];

/** Another input, made from one of the seeds. */
export function mutate(material: Material, random: Random): Bytes {
  let input = random.pick(material.seeds);
  const damages = 1 + random.below(MAX_DAMAGES);
  for (let i = 0; i < damages; i++) {
    input = random.pick(DAMAGES)(input, random, material).slice(0, MAX_INPUT);
  }
  return input;
}

function splice(
  input: Bytes,
  start: number,
  drop: number,
  put: Uint8Array = new Uint8Array(0),
): Bytes {
  return concat(input.subarray(0, start), put, input.subarray(start + drop));
}

function octets(random: Random, count: number): Bytes {
  return Uint8Array.from(
    { length: count },
    () => random.oneIn(2) ? random.pick(TELLING) : random.below(256),
  );
}

/** A length within the input: mostly short. */
function extent(random: Random, length: number): number {
  return random.below(random.oneIn(4) ? length : Math.min(length, 8));
}

function repeated(part: Uint8Array, times: number): Bytes {
  const fitting = Math.min(times, Math.floor(MAX_INPUT / Math.max(part.length, 1)));
  const whole = new Uint8Array(part.length * fitting);
  for (let i = 0; i < fitting; i++) whole.set(part, i * part.length);
  return whole;
}

/** Start and length of each run of decimal digits. */
function runsOfDigits(input: Bytes): (readonly [start: number, length: number])[] {
  const runs: (readonly [number, number])[] = [];
  for (let i = 0; i < input.length; i++) {
    const start = i;
    while (i < input.length && input[i]! >= 0x30 && input[i]! <= 0x39) i++;
    if (i > start) runs.push([start, i - start]);
  }
  return runs;
}
