/**
 * The environments in which a client finds the emulated managed identity sources.
 *
 * @module
 */

/** Environment variables by source: with those of one set and no others, a client detects it. */
export interface SourceEnvironments {
  /** Azure App Service. */
  readonly appservice: {
    readonly IDENTITY_ENDPOINT: string;
    readonly IDENTITY_HEADER: string;
  };
  /** Azure Service Fabric: https, with a self-signed certificate. */
  readonly servicefabric: {
    readonly IDENTITY_ENDPOINT: string;
    readonly IDENTITY_HEADER: string;
    /** SHA-1 of the certificate, 40 hex digits, upper case. */
    readonly IDENTITY_SERVER_THUMBPRINT: string;
  };
  /** Azure Machine Learning. */
  readonly machinelearning: {
    readonly MSI_ENDPOINT: string;
    readonly MSI_SECRET: string;
    /** Client id of the system-assigned identity, else of the first one; empty without any. */
    readonly DEFAULT_IDENTITY_CLIENT_ID: string;
  };
  /** Azure Cloud Shell. */
  readonly cloudshell: {
    readonly MSI_ENDPOINT: string;
  };
  /** Azure Arc. */
  readonly arc: {
    readonly IDENTITY_ENDPOINT: string;
    readonly IMDS_ENDPOINT: string;
  };
  /** The metadata service of a virtual machine. */
  readonly imds: {
    readonly AZURE_POD_IDENTITY_AUTHORITY_HOST: string;
  };
}

/** What the environments are made of. */
export interface SourceParts {
  /** Origin of the metadata service. */
  readonly metadata: string;
  /** Origin of the plain HTTP sources. */
  readonly sources: string;
  /** Origin of Service Fabric. */
  readonly serviceFabric: string;
  readonly secrets: Readonly<Record<SecretSource, string>>;
  readonly serviceFabricThumbprint: string;
  readonly defaultClientId: string;
}

/** Sources that want to be told a secret from the environment. */
export type SecretSource = "appservice" | "machinelearning" | "servicefabric";

/** Paths of the sources that share an origin. */
export const SOURCE_PATHS = {
  appservice: "/appservice/msi/token",
  machinelearning: "/machinelearning/msi/token",
  cloudshell: "/cloudshell/oauth2/token",
  arc: "/metadata/identity/oauth2/token",
} as const;

/** Path of Service Fabric's token endpoint. */
export const SERVICE_FABRIC_PATH = "/metadata/identity/oauth2/token";

/** The environments of an emulator with these parts. */
export function sourceEnvironments(parts: SourceParts): SourceEnvironments {
  const { metadata, sources, serviceFabric, secrets } = parts;
  return {
    appservice: {
      IDENTITY_ENDPOINT: `${sources}${SOURCE_PATHS.appservice}`,
      IDENTITY_HEADER: secrets.appservice,
    },
    servicefabric: {
      IDENTITY_ENDPOINT: `${serviceFabric}${SERVICE_FABRIC_PATH}`,
      IDENTITY_HEADER: secrets.servicefabric,
      IDENTITY_SERVER_THUMBPRINT: parts.serviceFabricThumbprint,
    },
    machinelearning: {
      MSI_ENDPOINT: `${sources}${SOURCE_PATHS.machinelearning}`,
      MSI_SECRET: secrets.machinelearning,
      DEFAULT_IDENTITY_CLIENT_ID: parts.defaultClientId,
    },
    cloudshell: { MSI_ENDPOINT: `${sources}${SOURCE_PATHS.cloudshell}` },
    arc: { IDENTITY_ENDPOINT: `${sources}${SOURCE_PATHS.arc}`, IMDS_ENDPOINT: sources },
    imds: { AZURE_POD_IDENTITY_AUTHORITY_HOST: metadata },
  };
}
