/**
 * Whether the server is who it should be: its chain by CryptoAPI, its name by its certificate's
 * subject alternative names.
 *
 * @module
 */

import { isIP } from "node:net";
import type { Bytes } from "../../src/encoding.ts";
import { utf8 } from "../../src/encoding.ts";
import { wide } from "../ffi/wide_text.ts";
import { MemoryStore } from "./memory_store.ts";
import type { Schannel } from "./schannel.ts";
import { isFor } from "./server_name.ts";
import { chainFault, serverFailure, tlsError } from "./statuses.ts";

/** `szOID_PKIX_KP_SERVER_AUTH`. */
const SERVER_AUTHENTICATION = utf8("1.3.6.1.5.5.7.3.1\0");
/** `CERT_CHAIN_POLICY_SSL`. */
const SSL_POLICY = 4n;
/** `AUTHTYPE_SERVER`: the certificate examined is a server's. */
const OF_A_SERVER = 2;
/** `CERT_CHAIN_CACHE_ONLY_URL_RETRIEVAL`. */
const NO_DOWNLOADS = 0x4;
/** `CERT_E_CN_NO_MATCH`. */
const WRONG_NAME = 0x800b010f;

/** A server to be verified. */
export interface ServerToVerify {
  /** Its `CERT_CONTEXT`, in a store with what else it sent. */
  readonly certificate: bigint;
  /** Host name or IP address. */
  readonly host: string;
  /** The chain engine with the only roots to trust; 0 for those that this user trusts. */
  readonly chainEngine: bigint;
}

/**
 * Rejects unless a chain from this server leads to a trusted root, is good now for the
 * authentication of servers, and its leaf is for the host.
 */
export async function verifyServer(schannel: Schannel, server: ServerToVerify): Promise<void> {
  const { certContext } = schannel.structs;
  const { pbCertEncoded, cbCertEncoded, hCertStore } = certContext.decode(
    schannel.ffi.read(server.certificate, certContext.size),
  );
  const leaf = schannel.ffi.read(pbCertEncoded, cbCertEncoded);
  const chain = await chainOf(schannel, server, hCertStore);
  try {
    const status = policyStatus(schannel, chain, server.host);
    if (status !== 0) throw serverFailure(status);
    // The policy of Wine passes chains that lead nowhere, or by certificates that may not issue.
    const fault = chainFault(trustErrors(schannel, chain));
    if (fault !== undefined) throw serverFailure(fault);
  } finally {
    schannel.certificates.CertFreeCertificateChain(chain);
    schannel.count("chain", -1);
  }
  if (!isFor(leaf, server.host)) throw serverFailure(WRONG_NAME);
}

/** On another thread: Windows may fetch what is missing, a new root from Windows Update say. */
async function chainOf(
  schannel: Schannel,
  { certificate, chainEngine }: ServerToVerify,
  store: bigint,
): Promise<bigint> {
  const { ffi, structs } = schannel;
  const usage = SERVER_AUTHENTICATION.slice();
  const usages = schannel.newPointer(ffi.addressOf(usage));
  const parameters = structs.chainPara.encode({
    cbSize: structs.chainPara.size,
    cUsageIdentifier: 1n,
    rgpszUsageIdentifier: ffi.addressOf(usages),
  });
  const chain = schannel.newPointer();
  const built = await schannel.certificates.CertGetCertificateChain.threaded(
    chainEngine,
    certificate,
    0n,
    store,
    parameters,
    chainEngine === 0n ? 0 : NO_DOWNLOADS,
    0n,
    chain,
  );
  // Both are named here so that they live until now.
  if (built === 0 || usage.length + usages.length === 0) {
    throw tlsError("CERT_VERIFY_ERROR", "Windows can't build a chain of the server's certificate.");
  }
  schannel.count("chain", 1);
  return schannel.pointerIn(chain);
}

/** What is wrong with the chain, bit by bit. */
function trustErrors({ ffi, structs: { chainContext } }: Schannel, chain: bigint): number {
  return chainContext.decode(ffi.read(chain, chainContext.size)).dwErrorStatus;
}

/** `dwError` of the policy for TLS servers. */
function policyStatus({ ffi, structs, certificates }: Schannel, chain: bigint, host: string) {
  // A host name is checked here and by its alternative names; an address by those alone.
  const name = wide(isIP(host) === 0 ? host : "");
  const extra = structs.sslPolicyPara.encode({
    cbSize: structs.sslPolicyPara.size,
    dwAuthType: OF_A_SERVER,
    pwszServerName: isIP(host) === 0 ? ffi.addressOf(name) : 0n,
  });
  const parameters = structs.policyPara.encode({
    cbSize: structs.policyPara.size,
    pvExtraPolicyPara: ffi.addressOf(extra),
  });
  const status = structs.policyStatus.encode({ cbSize: structs.policyStatus.size });
  const asked = certificates.CertVerifyCertificateChainPolicy(
    SSL_POLICY,
    chain,
    parameters,
    status,
  );
  // Both are named here so that they live until now.
  if (asked === 0 || name.length + extra.length === 0) {
    throw tlsError("CERT_VERIFY_ERROR", "Windows can't apply its policy for servers.");
  }
  return structs.policyStatus.decode(status).dwError;
}

/** The only roots that servers are verified against. */
export class ExclusiveRoots {
  /** The `HCERTCHAINENGINE`. */
  readonly engine: bigint;
  readonly #schannel: Schannel;
  readonly #store: MemoryStore;

  /** These authorities (DER) and no others. Throws `invalid_certificate`. */
  constructor(schannel: Schannel, authorities: readonly Bytes[]) {
    const { chainEngineConfig } = schannel.structs;
    this.#schannel = schannel;
    this.#store = new MemoryStore(schannel);
    const engine = schannel.newPointer();
    let made = 0;
    try {
      for (const authority of authorities) this.#store.add(authority);
      made = schannel.certificates.CertCreateCertificateChainEngine(
        chainEngineConfig.encode({
          cbSize: chainEngineConfig.size,
          hExclusiveRoot: this.#store.handle,
        }),
        engine,
      );
      if (made === 0) throw tlsError("CERT_VERIFY_ERROR", "Windows doesn't take exclusive roots.");
    } catch (error) {
      this.#store.free();
      throw error;
    }
    this.engine = schannel.pointerIn(engine);
    schannel.count("engine", 1);
  }

  /** Gives them back. */
  free(): void {
    this.#schannel.certificates.CertFreeCertificateChainEngine(this.engine);
    this.#schannel.count("engine", -1);
    this.#store.free();
  }
}
