import * as consul from "@pulumi/consul";
import * as pulumi from "@pulumi/pulumi";
import {
  CREDENTIALS_FOLDER,
  SERVICE_USER,
  type Credentials,
  credentialFiles,
  credentialVolumes,
} from "./access-control";
import { shell } from "./agent";
import type { Datacenter } from "./cluster";
import type { Owner } from "./container";
import { goDuration } from "./duration";
import type { PlannedInstance, Platform } from "./platform";

/** One HTTP check of every instance, run by the health monitors. */
export interface HttpCheck {
  /** Path that answers 2xx when the instance can serve. */
  readonly path: string;
  /** Seconds between two runs. */
  readonly intervalSeconds: number;
  /** Seconds until a run that got no answer counts as failed. */
  readonly timeoutSeconds: number;
}

/** What all instances of a service have in common. */
export interface InstanceArgs {
  /** Owner, for names and labels. */
  readonly owner: Owner;
  /** The datacenter that the service belongs to. */
  readonly datacenter: Datacenter;
  /** What the service shows to Consul. @default nothing: there is no access control */
  readonly credentials?: Credentials | undefined;
  /** Port that the service listens on inside its container. */
  readonly port: number;
  /** What it runs on. */
  readonly platform: Platform;
  /** Consul tags. */
  readonly tags: readonly string[];
  /** Consul service metadata. */
  readonly meta: Readonly<Record<string, string>>;
  /** Checks of every instance, at least one. */
  readonly checks: readonly HttpCheck[];
  /** Memory limit of one instance in MiB. */
  readonly memoryMb: number;
  /** trace, debug, info, warn or error. */
  readonly logLevel: string;
  /** Base URL of an OpenTelemetry collector. @default none: no traces */
  readonly traceEndpoint?: string | undefined;
}

/** What one instance needs from the rest of the stack. */
export interface ServiceInstanceArgs extends InstanceArgs, Omit<PlannedInstance, "number"> {
  /** Name of the service in Consul. */
  readonly service: string;
  /** ID of the service's image, or its name. */
  readonly imageId: pulumi.Input<string>;
  /** Resolves when its registration, on this node, may change. @default at once */
  readonly turn?: ((node: consul.Node) => Promise<void>) | undefined;
}

/** One running copy of a service: its container, and its registration on a node of its own. */
export class ServiceInstance extends pulumi.ComponentResource {
  /** Name of the instance, its node, container alias and host name. */
  public readonly name: string;
  /** What runs the instance, for what must come after it. */
  public readonly container: pulumi.Resource;
  /** The entry in the catalog. */
  public readonly registration: consul.Service;

  constructor(name: string, args: ServiceInstanceArgs, opts?: pulumi.ComponentResourceOptions) {
    super("consul-docker:index:ServiceInstance", name, {}, opts);
    const { datacenter, credentials } = args;

    this.container = args.platform.run(
      name,
      {
        owner: args.owner,
        role: "service",
        imageId: args.imageId,
        attachment: { networkId: datacenter.networkId, alias: name },
        memoryMb: args.memoryMb,
        user: SERVICE_USER,
        healthTest: shell(["service-health.sh"], String(args.port)),
        readyTimeoutSeconds: 60,
        stopTimeoutSeconds: 15,
        volumes: credentialVolumes(credentials),
        host: args.host,
        avoid: args.avoid,
        dns: [...datacenter.dnsServers],
        envs: [
          `CONSUL_HTTP_ADDRS=${datacenter.agentUrls.join(",")}`,
          ...(credentials === undefined ? [] : [`CONSUL_HTTP_TOKEN_FILE=${CREDENTIALS_FOLDER}/token`]),
          `INSTANCE_NAME=${name}`,
          `LOG_LEVEL=${args.logLevel}`,
          ...(datacenter.caCertificate === undefined
            ? []
            : [`NODE_EXTRA_CA_CERTS=${CREDENTIALS_FOLDER}/ca.pem`]),
          ...(args.traceEndpoint === undefined ? [] : [`OTEL_EXPORTER_OTLP_ENDPOINT=${args.traceEndpoint}`]),
          `PORT=${args.port}`,
          `SERVICE_NAME=${args.service}`,
        ],
        publish: args.publish === undefined ? undefined : { internal: args.port, ...args.publish },
      },
      { parent: this, dependsOn: [...datacenter.ready, ...credentialFiles(credentials)] },
    );

    const registered = {
      parent: this,
      provider: datacenter.provider,
      deletedWith: datacenter.store,
      deleteBeforeReplace: true,
    };
    // A node of its own, outside any agent: an agent removes what it did not register itself from its node.
    // `external-node` hands its checks to the health monitors. They do not ping it besides (`external-probe`): a ping every
    // ten seconds would call a node lost for up to ten seconds after the instance is back.
    const node = new consul.Node(
      name,
      { name, address: name, meta: { "external-node": "true" } },
      { ...registered, dependsOn: datacenter.ready },
    );
    this.registration = new consul.Service(
      name,
      {
        name: args.service,
        serviceId: name,
        node: node.name,
        address: name,
        port: args.turn === undefined ? args.port : args.turn(node).then(() => args.port),
        tags: [...args.tags],
        meta: { ...args.meta },
        checks: args.checks.map((check) => catalogCheck(name, args.port, check)),
      },
      // The provider leaves a check that is no longer declared in the catalog, so another set of them is another entry.
      // It does not wait for the container: whoever is not there yet does not pass its checks.
      { ...registered, replaceOnChanges: ["checks"] },
    );

    this.name = name;
    this.registerOutputs({});
  }
}

function catalogCheck(instance: string, port: number, check: HttpCheck): consul.types.input.ServiceCheck {
  return {
    checkId: `${instance}:${check.path}`,
    name: `HTTP ${check.path}`,
    http: `http://${instance}:${port}${check.path}`,
    method: "GET",
    interval: goDuration(check.intervalSeconds),
    timeout: goDuration(check.timeoutSeconds),
    // A failing instance stays registered: Pulumi declares what exists, the check says whether it works.
    deregisterCriticalServiceAfter: "0s",
  };
}
