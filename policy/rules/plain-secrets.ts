import { called } from "../resource";
import type { ResourceRule } from "../rule";
import { looksLikeSecret, namesSecret } from "../sensitive";

// What a value is called, where that stands beside it: a file of an upload, the path of a key.
const NAMES = ["file", "path", "name"];

/** What is secret is marked as such, so that the state has it encrypted and no log shows it. */
export const plainSecrets: ResourceRule = {
  name: "plain-secrets",
  description: "Inputs that are secrets are marked as secret.",
  faults: (resource) =>
    plainOnes(resource.props, "", "").map(
      (property) =>
        `${called(resource)} must have its secrets marked, got ${property} in plain; wrap the value in pulumi.secret()`,
    ),
};

/** Paths of the values that are secrets by their name or look, and still there to be read. */
function plainOnes(value: unknown, path: string, name: string): string[] {
  if (typeof value === "string") {
    const isSecret = value !== "" && (namesSecret(name) || looksLikeSecret(value) !== undefined);
    return isSecret ? [path] : [];
  }
  if (typeof value !== "object" || value === null) return [];
  const beside = NAMES.map((key) => (value as Record<string, unknown>)[key]).find(
    (one) => typeof one === "string",
  );
  return Object.entries(value).flatMap(([key, item]) => {
    const known = (key === "content" || key === "value") && typeof beside === "string" ? beside : key;
    return plainOnes(item, at(path, key, Array.isArray(value)), Array.isArray(value) ? name : known);
  });
}

function at(path: string, key: string, isItem: boolean): string {
  if (isItem) return `${path}[${key}]`;
  return path === "" ? key : `${path}.${key}`;
}
