import { compared, concerning, partOf, type Advisory, type Part } from "../../advisories";
import { found, type Finding } from "./finding";

/**
 * Which published holes the versions in use have. That is a note and no problem: the datacenter does what it should, a
 * mended version may not be there to be had yet, and whoever waits for healthy must not wait for a release.
 */
export function examineAdvisories(images: readonly string[]): Finding {
  // The state has them in the order in which they happened to be there.
  const parts = [...new Set(images)].flatMap((image) => partOf(image) ?? []).sort(byName);
  return found("advisories", parts.map(({ part, tag }) => described(part, tag)).join("; "));
}

function byName(a: { readonly part: Part }, b: { readonly part: Part }): number {
  return a.part.localeCompare(b.part, "en");
}

function described(part: Part, tag: string): string {
  const name = `${part.replace("hashicorp/", "")} ${tag}`;
  const all = concerning(part, tag);
  if (all === undefined) return `${name} is no version that the advisories name`;
  const here = all.filter(({ matters }) => matters);
  return here.length === 0 ? `${name} none known` : `${name} ${here.length} known, ${byVersion(here)}`;
}

/** `mended in 2.0.4 CVE-1, CVE-2, in 2.1.0 CVE-3`. */
function byVersion(advisories: readonly Advisory[]): string {
  const versions = [...new Set(advisories.map(({ mendedIn }) => mendedIn))].toSorted(compared);
  const ids = (version: string) =>
    advisories
      .filter(({ mendedIn }) => mendedIn === version)
      .map(({ id }) => id)
      .join(", ");
  return `mended ${versions.map((version) => `in ${version} ${ids(version)}`).join(", ")}`;
}
