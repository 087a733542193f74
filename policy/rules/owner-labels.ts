import { labelsOf } from "../container";
import { called, CONTAINER, UNKNOWN, type Resource } from "../resource";
import type { ResourceRule } from "../rule";

const LABELLED = [CONTAINER, "docker:index/volume:Volume", "docker:index/network:Network"];

/** Whose it is and what for: by these labels npm run doctor and the clean-up of a lost stack find what belongs to it. */
export const ownerLabels: ResourceRule = {
  name: "owner-labels",
  description:
    "Containers, volumes and networks say by labels which project and stack they are of, and what for.",
  faults: (resource) => {
    if (!LABELLED.includes(resource.type) || resource.props["labels"] === UNKNOWN) return [];
    const labels = labelsOf(resource.props);
    return expected(resource)
      .filter(([label, value]) => !fits(labels.get(label), value))
      .map(([label, value]) => {
        const got = labels.get(label);
        return `${called(resource)} must have the label ${label}${value === undefined ? "" : ` with "${value}"`}, got ${typeof got === "string" ? `"${got}"` : "none"}; set labels: labelList(owner, role)`;
      });
  },
};

/** A URN begins with `urn:pulumi:STACK::PROJECT::`. */
function expected({ urn }: Resource): [label: string, value: string | undefined][] {
  const [, , stack = "", , project = ""] = urn.split(":");
  return [
    ["consul-docker.project", project],
    ["consul-docker.stack", stack],
    ["consul-docker.role", undefined],
  ];
}

function fits(got: unknown, value: string | undefined): boolean {
  return got === UNKNOWN || (value === undefined ? typeof got === "string" && got !== "" : got === value);
}
