import { readFileSync } from "node:fs";
import { join } from "node:path";
import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import { transformSync } from "esbuild";
import { containerArgs, containerOptions, ownLabels, physicalName, type Owner } from "./container";
import type { Host } from "./host";

/** What a starter needs from the rest of the stack. */
export interface StarterArgs {
  /** Owner, for name and labels. */
  readonly owner: Owner;
  /** Where it runs. */
  readonly host: Host;
  /** Path there of the socket that the engine listens on. */
  readonly socketPath: string;
  /** ID of the Node.js image. */
  readonly imageId: pulumi.Input<string>;
}

const SOCKET = "/run/engine.sock";
const MARKER = "/tmp/looked";
const SECONDS = 5;

/**
 * Brings back the stack's containers on one host where its engine does not: an engine that starts tries each container
 * of a Swarm's network once, and gives up on those that find the network not there yet, or no manager to ask for it
 * (https://github.com/moby/moby/issues/32607). Needs the engine's socket, with which it could do anything on the host:
 * so it has no network, and takes no input but the engine's.
 */
export class Starter extends pulumi.ComponentResource {
  constructor(name: string, args: StarterArgs, opts?: pulumi.ComponentResourceOptions) {
    super("consul-docker:index:Starter", name, {}, opts);
    const { owner, host } = args;

    const container = containerArgs({
      owner,
      role: "starter",
      imageId: args.imageId,
      host: host.name,
      attachment: { alias: "starter" },
      memoryMb: 128,
      // The socket is root's. Without capabilities that is all that this root can open.
      user: "0:0",
      healthTest: ["sh", "-c", `find ${MARKER} -mmin -2 | grep -q .`],
      startIntervalSeconds: 5,
      readyTimeoutSeconds: 60,
      stopTimeoutSeconds: 10,
    });
    new docker.Container(
      name,
      {
        ...container,
        // Its host's name may be too long for a host name.
        name: physicalName(owner, name),
        volumes: [{ hostPath: args.socketPath, containerPath: SOCKET, readOnly: true }],
        command: ["node", "--eval", program(), "--", SOCKET, MARKER, String(SECONDS), ...ownLabels(owner)],
      },
      containerOptions({ parent: this }),
    );

    this.registerOutputs({});
  }
}

let compiled: string | undefined;

/** The program as JavaScript, whatever Node.js the image has; compiled once for all hosts. */
export function program(): string {
  compiled ??= transformSync(readFileSync(join(__dirname, "starter-run.ts"), "utf8"), {
    loader: "ts",
    format: "cjs",
    target: "node22",
  }).code;
  return compiled;
}
