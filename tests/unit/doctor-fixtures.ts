import type { Role } from "../../components/container";
import type { Container } from "../../scripts/doctor/containers";
import type { DeclaredContainer, StackState } from "../../scripts/doctor/state";

/** A container of the stack s of the project p, as the state has it. */
export function declared(alias: string, role: Role, address?: string): DeclaredContainer {
  const place = address === undefined ? {} : { address };
  return { urn: `urn:${alias}`, alias, name: `p-s-${alias}`, role, ports: [], ...place };
}

/** The same as the engine has it when all is well. */
export function container(alias: string, changes: Partial<Container> = {}): Container {
  return {
    name: `p-s-${alias}`,
    role: "service",
    status: "running",
    exitCode: 0,
    outOfMemory: false,
    restarts: 0,
    memoryMb: 256,
    networks: ["p-s-network"],
    ...changes,
  };
}

/** A stack with nothing in it. */
export const EMPTY: StackState = {
  owner: { project: "p", stack: "s" },
  size: 0,
  outputs: {},
  networks: [],
  containers: [],
  nodes: [],
  services: [],
  certificates: [],
  images: [],
};
