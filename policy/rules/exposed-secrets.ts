import { environmentOf, labelsOf } from "../container";
import { called, CONTAINER, list, text } from "../resource";
import type { ResourceRule } from "../rule";
import { looksLikeSecret, secretWithin } from "../sensitive";

/** What `docker inspect` shows to everybody with the engine holds no secret, not even one that Pulumi hides. */
export const exposedSecrets: ResourceRule = {
  name: "exposed-secrets",
  description: "No secret is in a container's environment, labels or command.",
  faults: (resource) => {
    const { type, props } = resource;
    if (type !== CONTAINER) return [];
    const places: [string, string | undefined][] = [
      ...[...environmentOf(props)].map(([name, value]): [string, string | undefined] => [
        `the environment variable ${name}`,
        secretWithin(name, value),
      ]),
      ...[...labelsOf(props)].map(([name, value]): [string, string | undefined] => [
        `the label ${name}`,
        secretWithin(name, text(value) ?? ""),
      ]),
      ...["command", "entrypoints"].flatMap((property) =>
        list(props[property]).map((argument): [string, string | undefined] => [
          property,
          looksLikeSecret(text(argument) ?? ""),
        ]),
      ),
    ];
    return places
      .filter(([, kind]) => kind !== undefined)
      .map(
        ([place, kind]) =>
          `${called(resource)} must have no secret in ${place}, got ${kind}; hand it over as a file, as SecretFiles does`,
      );
  },
};
