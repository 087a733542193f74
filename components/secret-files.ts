import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import { labelList, physicalName, UNPRIVILEGED, type Owner, type Role } from "./container";
import { onHost, through, type Host } from "./host";

/** The files of one volume. */
export interface SecretFolder {
  /** Name of the volume. */
  readonly volumeName: pulumi.Input<string>;
  /** `USER:GROUP` by number, who alone may read the files. */
  readonly reader: string;
  /** Contents, by the files' names. */
  readonly files: Readonly<Record<string, pulumi.Input<string>>>;
}

/** The volume with the secrets of `holder` on a host, below its component. */
export function secretsVolume(
  parent: pulumi.Resource,
  owner: Owner,
  holder: string,
  role: Role,
  host: Host,
): docker.Volume {
  const name = `${holder}-secrets`;
  return new docker.Volume(
    onHost(name, host),
    { name: physicalName(owner, name), labels: labelList(owner, role) },
    { parent, deleteBeforeReplace: true, ...through(host) },
  );
}

/** What is to be written. */
export interface SecretFilesArgs {
  /** Owner, for name and labels. */
  readonly owner: Owner;
  /** ID of any image; nothing of it runs. */
  readonly imageId: pulumi.Input<string>;
  /** What to write, by a name for each folder. */
  readonly folders: Readonly<Record<string, SecretFolder>>;
  /** Anything whose change is to write the files again. @default none */
  readonly after?: pulumi.Input<string>;
}

/**
 * Secrets as files in volumes, which containers mount read-only. The files are uploaded through a container that never
 * starts: when they change it alone is replaced, and whoever mounts them reads them again while it runs. As long as it
 * is there, no prune takes the volumes.
 */
export class SecretFiles extends pulumi.ComponentResource {
  /** The container that carries the files, for what must find them there. */
  public readonly carrier: docker.Container;

  constructor(name: string, args: SecretFilesArgs, opts?: pulumi.ComponentResourceOptions) {
    super("consul-docker:index:SecretFiles", name, {}, opts);
    const { owner } = args;
    const folders = Object.entries(args.folders);

    this.carrier = new docker.Container(
      name,
      {
        ...UNPRIVILEGED,
        name: physicalName(owner, name),
        image: args.imageId,
        command: ["true"],
        start: false,
        mustRun: false,
        networkMode: "none",
        memory: 64,
        memorySwap: 64,
        labels: labelList(
          owner,
          "secrets",
          args.after === undefined ? {} : { "consul-docker.after": args.after },
        ),
        volumes: folders.map(([folder, { volumeName }]) => ({
          volumeName,
          containerPath: `/secrets/${folder}`,
        })),
        uploads: folders.flatMap(([folder, { reader, files }]) => {
          const [user, group] = reader.split(":") as [string, string];
          return Object.entries(files).map(([file, content]) => ({
            file: `/secrets/${folder}/${file}`,
            content: pulumi.secret(content),
            owner: user,
            group,
            permissions: "0400",
          }));
        }),
      },
      { parent: this, deleteBeforeReplace: true, additionalSecretOutputs: ["uploads"] },
    );

    this.registerOutputs({});
  }
}
