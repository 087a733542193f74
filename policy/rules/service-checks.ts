import { called, list, UNKNOWN } from "../resource";
import type { ResourceRule } from "../rule";

/** Callers are sent to passing instances only, and one without a check passes for ever. */
export const serviceChecks: ResourceRule = {
  name: "service-checks",
  description: "Every service that is registered in Consul has a check.",
  faults: (resource) => {
    const { type, props } = resource;
    return type !== "consul:index/service:Service" ||
      props["checks"] === UNKNOWN ||
      list(props["checks"]).length > 0
      ? []
      : [
          `${called(resource)} must have at least one check, got none; without one, callers are sent to it when it is gone`,
        ];
  },
};
