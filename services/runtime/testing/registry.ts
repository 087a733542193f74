import type { Instance, Registry } from "../registry";

/** An instance at a port of this host, with a weight of 1. */
export function instanceAt(id: string, port: number, more: Partial<Instance> = {}): Instance {
  return {
    id,
    node: `node-${id}`,
    address: "127.0.0.1",
    port,
    weight: 1,
    status: "passing",
    tags: [],
    meta: {},
    ...more,
  };
}

/** A registry that knows what it is told. */
export function fixedRegistry(...known: readonly Instance[]): Registry & {
  set(...instances: readonly Instance[]): void;
} {
  const listeners: (() => void)[] = [];
  const view = {
    instances: known,
    first: Promise.resolve(),
    ageMs: () => 0,
    onChange: (listener: () => void) => {
      listeners.push(listener);
    },
  };
  return {
    follow: () => view,
    set: (...instances) => {
      view.instances = instances;
      listeners.forEach((listener) => {
        listener();
      });
    },
  };
}
