import { CONTAINER, list, table, UNKNOWN, type Resource } from "./resource";

const SERVICE = "docker:index/service:Service";
const MIB = 2 ** 20;

/** A service of a Swarm as the container that its tasks are, so that what holds for containers holds for it; others as they are. */
export function asContainer(resource: Resource): Resource {
  const { taskSpec, endpointSpec, labels } = resource.props;
  const { containerSpec, networksAdvanceds, resources } = table(taskSpec);
  if (resource.type !== SERVICE || containerSpec === undefined || containerSpec === UNKNOWN) return resource;
  const container = table(containerSpec);
  const memory = mebibytes(table(table(resources)["limits"])["memoryBytes"]);
  return {
    ...resource,
    type: CONTAINER,
    props: {
      labels,
      image: container["image"],
      user: container["user"],
      healthcheck: container["healthcheck"],
      mounts: container["mounts"],
      capabilities: { adds: container["capAdds"] },
      command: [...list(container["commands"]), ...list(container["args"])],
      envs: Object.entries(table(container["env"])).map(([name, value]) =>
        value === UNKNOWN ? UNKNOWN : `${name}=${String(value)}`,
      ),
      memory,
      // A Swarm limits neither of these, so there is nothing to ask for.
      memorySwap: memory,
      ulimits: [{ name: "nproc" }],
      restart: "always",
      networksAdvanced: list(networksAdvanceds).map((network) => ({ name: table(network)["id"] })),
      ports: list(table(endpointSpec)["ports"])
        .map(table)
        .map(({ targetPort, publishedPort }) => ({ internal: targetPort, external: publishedPort })),
    },
  };
}

function mebibytes(bytes: unknown): unknown {
  return typeof bytes === "number" ? bytes / MIB : bytes;
}
