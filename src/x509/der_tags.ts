/**
 * Identifier octets of the universal types of ASN.1 used here (X.680 section 8.4), the constructed
 * bit included.
 *
 * @module
 */

/** One octet, 0 or 0xff. */
export const BOOLEAN = 0x01;
/** Two's complement, big-endian, as short as can be. */
export const INTEGER = 0x02;
/** A count of unused bits, then the bits. */
export const BIT_STRING = 0x03;
/** Any octets. */
export const OCTET_STRING = 0x04;
/** No content. */
export const NULL = 0x05;
/** Arcs in base 128, the first two as one. */
export const OBJECT_IDENTIFIER = 0x06;
/** As an INTEGER. */
export const ENUMERATED = 0x0a;
/** Text in UTF-8. */
export const UTF8_STRING = 0x0c;
/** Text in a part of ASCII. */
export const PRINTABLE_STRING = 0x13;
/** Text in T.61, in practice Latin-1. */
export const TELETEX_STRING = 0x14;
/** Text in ASCII. */
export const IA5_STRING = 0x16;
/** `YYMMDDHHMMSSZ`. */
export const UTC_TIME = 0x17;
/** `YYYYMMDDHHMMSSZ`. */
export const GENERALIZED_TIME = 0x18;
/** Text in UTF-16, big-endian. */
export const BMP_STRING = 0x1e;
/** SEQUENCE and SEQUENCE OF. */
export const SEQUENCE = 0x30;
/** SET and SET OF. */
export const SET = 0x31;
