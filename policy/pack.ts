import { PolicyPack } from "@pulumi/policy";
import { resourcePolicy, secretsPolicy, stackPolicy } from "./rule";
import { exposedSecrets } from "./rules/exposed-secrets";
import { healthAndLimits } from "./rules/health-and-limits";
import { imageVersions } from "./rules/image-versions";
import { knownHoles } from "./rules/known-holes";
import { ownerLabels } from "./rules/owner-labels";
import { plainSecrets } from "./rules/plain-secrets";
import { privileges } from "./rules/privileges";
import { publishedPorts } from "./rules/published-ports";
import { serverCount } from "./rules/server-count";
import { serviceChecks } from "./rules/service-checks";

new PolicyPack("consul-docker", {
  enforcementLevel: "mandatory",
  policies: [
    resourcePolicy(imageVersions),
    resourcePolicy(healthAndLimits),
    resourcePolicy(privileges),
    resourcePolicy(exposedSecrets),
    resourcePolicy(ownerLabels),
    resourcePolicy(serviceChecks),
    resourcePolicy(knownHoles),
    secretsPolicy(plainSecrets),
    stackPolicy(publishedPorts),
    stackPolicy(serverCount),
  ],
});
