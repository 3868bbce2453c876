/**
 * TLS 1.3 connections that end at any byte of their response.
 *
 * @module
 */

import { describeBytePositions } from "./support/byte_positions.ts";

describeBytePositions("TLSv1.3", "response");
