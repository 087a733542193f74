import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import { CREDENTIALS_FOLDER, type Credentials, credentialFiles, credentialVolumes } from "./access-control";
import { CONSUL_USER, shell } from "./agent";
import type { Datacenter } from "./cluster";
import { containerArgs, containerOptions, labelList, physicalName, type Owner } from "./container";
import { onHost, type Host } from "./host";
import { SNAPSHOTS_KEY } from "./policies";

/** How often snapshots are taken, and how many are kept. */
export interface SnapshotPlan {
  /** Minutes between two snapshots. */
  readonly intervalMinutes: number;
  /** As many are kept, the newest ones. */
  readonly keep: number;
}

/** What is needed of the rest of the stack to take snapshots. */
export interface SnapshotsArgs extends SnapshotPlan {
  /** Owner, for names and labels. */
  readonly owner: Owner;
  /** ID of the Consul image. */
  readonly imageId: pulumi.Input<string>;
  /** Where they are kept. */
  readonly host: Host;
  /** The datacenter that snapshots are taken of. */
  readonly datacenter: Datacenter;
  /** What is shown to Consul. @default nothing: there is no access control */
  readonly credentials?: Credentials | undefined;
}

// A folder of the image that belongs to Consul's user: a new volume takes that over.
const FOLDER = "/consul/data";
// A snapshot may be due, and a client agent be away, when the health check looks.
const LATE_MINUTES = 2;

/** Takes verified snapshots of the datacenter at an interval, into a volume of their own. */
export class Snapshots extends pulumi.ComponentResource {
  constructor(name: string, args: SnapshotsArgs, opts?: pulumi.ComponentResourceOptions) {
    super("consul-docker:index:Snapshots", name, {}, opts);
    const { owner, datacenter, credentials, intervalMinutes, keep } = args;

    const volume = new docker.Volume(
      onHost(name, args.host),
      { name: physicalName(owner, name), labels: labelList(owner, "snapshots") },
      { parent: this, deleteBeforeReplace: true },
    );

    new docker.Container(
      name,
      {
        ...containerArgs({
          owner,
          role: "snapshots",
          imageId: args.imageId,
          host: args.host.name,
          attachment: { networkId: datacenter.networkId, alias: name },
          memoryMb: 128,
          user: CONSUL_USER,
          healthTest: ["sh", "-c", hasSnapshotYoungerThan(intervalMinutes + LATE_MINUTES)],
          startIntervalSeconds: 5,
          readyTimeoutSeconds: 120,
          stopTimeoutSeconds: 10,
          volumes: {
            [FOLDER]: { volumeName: volume.name, readOnly: false },
            ...credentialVolumes(credentials),
          },
        }),
        command: shell(
          ["snapshots.sh"],
          datacenter.datacenter,
          String(intervalMinutes * 60),
          String(keep),
          SNAPSHOTS_KEY,
          ...datacenter.agentUrls,
        ),
        // Consul reads these files at each of its calls, and so takes over what changes in them.
        envs: [
          ...(credentials === undefined ? [] : [`CONSUL_HTTP_TOKEN_FILE=${CREDENTIALS_FOLDER}/token`]),
          ...(datacenter.caCertificate === undefined ? [] : [`CONSUL_CACERT=${CREDENTIALS_FOLDER}/ca.pem`]),
        ],
      },
      containerOptions({
        parent: this,
        dependsOn: [...datacenter.ready, ...credentialFiles(credentials)],
      }),
    );

    this.registerOutputs({});
  }
}

function hasSnapshotYoungerThan(minutes: number): string {
  return `find ${FOLDER} -maxdepth 1 -name '*.snap' -mmin -${minutes} | grep -q .`;
}
