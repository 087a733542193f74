import { roleOf } from "../container";
import { CONTAINER } from "../resource";
import type { StackRule } from "../rule";

const COUNTS = [1, 3, 5];

/** An even number of servers tolerates no more failures than one fewer; more than five only slow the datacenter down. */
export const serverCount: StackRule = {
  name: "server-count",
  description: "A datacenter has 1, 3 or 5 Consul servers.",
  faults: (resources) => {
    const servers = resources.filter(({ type, props }) => type === CONTAINER && roleOf(props) === "server");
    const last = servers.at(-1);
    return last === undefined || COUNTS.includes(servers.length)
      ? []
      : [
          [
            `the stack must have 1, 3 or 5 Consul servers, got ${servers.length}: ${servers
              .map(({ name }) => name)
              .sort()
              .join(", ")}; set consul-docker:servers, and give no other container the role server`,
            last.urn,
          ],
        ];
  },
};
