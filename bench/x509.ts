/**
 * Reading a certificate and making a certification request, against @peculiar/x509 and, for the
 * former, node:crypto.
 *
 * @module
 */

import "reflect-metadata";
import {
  Pkcs10CertificateRequestGenerator,
  X509Certificate as PeculiarCertificate,
} from "@peculiar/x509";
import { X509Certificate } from "node:crypto";
import { webcryptoKeys } from "../backends/webcrypto/mod.ts";
import { parseCertificate } from "../src/x509/certificate.ts";
import { createCertificateRequest } from "../src/x509/csr.ts";
import { CLIENT_ID, TENANT_ID } from "../tests/support/fake_azure.ts";
import { tlsAuthority } from "../tests/support/tls_identities.ts";
import { callCosts } from "./support/measure.ts";
import { Report } from "./support/report.ts";

const ROUNDS = 7;

const report = new Report();
const key = await webcryptoKeys().create("bench", { algorithm: "RSA-2048" });
const credential = await (await tlsAuthority("X.509 Benchmark")).client(key);
const { der } = credential.leaf;

const [parsed, peculiar, native] = await callCosts(ROUNDS, [
  () => parseCertificate(der),
  // The same fields: these are read when they are asked for.
  () => {
    const certificate = new PeculiarCertificate(der);
    const { serialNumber, issuer, subject, notBefore, notAfter } = certificate;
    return [serialNumber, issuer, subject, notBefore, notAfter, certificate.publicKey.rawData];
  },
  () => {
    const certificate = new X509Certificate(der);
    const { serialNumber, issuer, subject, validFrom, validTo } = certificate;
    const spki = certificate.publicKey.export({ type: "spki", format: "der" });
    return [serialNumber, issuer, subject, Date.parse(validFrom), Date.parse(validTo), spki];
  },
]);
const parse = { bench: "certificate parse", ours: parsed!.p50, unit: "us" };
report.tell({ ...parse, peer: peculiar!.p50, peerName: "@peculiar/x509" });
report.tell({ ...parse, peer: native!.p50, peerName: "node:crypto" });

const rsa = { name: "RSA-PSS", hash: "SHA-256", saltLength: 32 };
const pair = await crypto.subtle.generateKey(
  { ...rsa, modulusLength: 2048, publicExponent: Uint8Array.of(1, 0, 1) },
  false,
  ["sign", "verify"],
);
const name = `DC=${TENANT_ID}, CN=${CLIENT_ID}`;
const [made, generated, signed] = await callCosts(ROUNDS, [
  () =>
    createCertificateRequest({
      clientId: CLIENT_ID,
      tenantId: TENANT_ID,
      cuId: { vmId: "vm" },
      key,
    }),
  () => Pkcs10CertificateRequestGenerator.create({ name, keys: pair, signingAlgorithm: rsa }),
  () => crypto.subtle.sign(rsa, pair.privateKey, der),
]);
const request = { bench: "certification request, RSA-2048", ours: made!.p50, unit: "us" };
report.tell({ ...request, peer: generated!.p50, peerName: "@peculiar/x509" });
report.tell({ ...request, peer: signed!.p50, peerName: "its signature alone" });
report.finish();
