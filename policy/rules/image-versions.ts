import type { ResourceRule } from "../rule";
import { called, CONTAINER, text, type Resource } from "../resource";

const IMAGES = ["docker:index/remoteImage:RemoteImage", "docker:index/registryImage:RegistryImage"];

/** Every image is one version, so that two runs of the program mean the same. */
export const imageVersions: ResourceRule = {
  name: "image-versions",
  description: "Images are named with a version, never with latest.",
  faults: (resource) => {
    const reference = text(referenceOf(resource));
    return reference === undefined || hasVersion(reference)
      ? []
      : [
          `${called(resource)} must name a version of its image, got "${reference}"; give it a tag other than latest, or a digest`,
        ];
  },
};

function referenceOf({ type, props }: Resource): unknown {
  if (type === CONTAINER) return props["image"];
  return IMAGES.includes(type) ? props["name"] : undefined;
}

/** An ID, a digest or a tag; the host in front of the name may have a port, which is no tag. */
function hasVersion(reference: string): boolean {
  if (/^(?:sha256:)?[0-9a-f]{64}$|@sha256:[0-9a-f]{64}$/.test(reference)) return true;
  const [, tag] = reference.slice(reference.lastIndexOf("/") + 1).split(":");
  return tag !== undefined && tag !== "" && tag !== "latest";
}
