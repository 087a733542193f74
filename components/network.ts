import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import type { Subnet } from "./addresses";
import { labelList, physicalName, type Owner } from "./container";

/** What the network needs from the rest of the stack. */
export interface NetworkArgs {
  /** Owner, for name and labels. */
  readonly owner: Owner;
  /** Driver: `bridge` on one host, `overlay` across several. */
  readonly driver: "bridge" | "overlay";
  /** Addresses of the network. */
  readonly subnet: Subnet;
}

/** The network of one datacenter, where agents have fixed addresses. */
export class Network extends pulumi.ComponentResource {
  /** ID of the network. */
  public readonly networkId: pulumi.Output<string>;

  constructor(name: string, args: NetworkArgs, opts?: pulumi.ComponentResourceOptions) {
    super("consul-docker:index:Network", name, {}, opts);

    const network = new docker.Network(
      name,
      {
        name: physicalName(args.owner, "network"),
        driver: args.driver,
        // Containers that no Swarm service runs may join, too.
        ...(args.driver === "overlay" ? { attachable: true } : {}),
        ipamConfigs: [
          { subnet: args.subnet.cidr, gateway: args.subnet.gateway, ipRange: args.subnet.dynamicRange },
        ],
        labels: labelList(args.owner, "network"),
      },
      { parent: this, deleteBeforeReplace: true },
    );

    this.networkId = network.id;
    this.registerOutputs({ networkId: this.networkId });
  }
}
