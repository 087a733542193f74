import { concerning, lastMended, partOf } from "../../advisories";
import type { ResourceRule } from "../rule";
import { called, text } from "../resource";

/** No part runs in a version with a published hole that matters in this datacenter. Whoever wants that turns it on. */
export const knownHoles: ResourceRule = {
  name: "known-holes",
  description: "Consul and consul-esm are of a version without a published hole.",
  enforcementLevel: "disabled",
  faults: (resource) => {
    if (resource.type !== "docker:index/remoteImage:RemoteImage") return [];
    const image = partOf(text(resource.props["name"]) ?? "");
    const holes = image === undefined ? [] : concerning(image.part, image.tag);
    if (holes === undefined)
      return [
        `${called(resource)} must be of a version of which the holes are known, got "${image?.tag ?? ""}"; give it a tag as 2.1.0`,
      ];
    const here = holes.filter(({ matters }) => matters);
    const mended = lastMended(here);
    return mended === undefined
      ? []
      : [
          `${called(resource)} must be of a version without published holes, got "${image?.tag ?? ""}", which has ${here.map(({ id }) => id).join(", ")}; take ${mended} or newer`,
        ];
  },
};
