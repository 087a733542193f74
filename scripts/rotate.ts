import { ConsulApi } from "./consul-api";
import { rotateCertificates, rotateGossip, rotateTokens, type Rotation } from "./rotations";
import { expectNoChanges, main, stackOutputs } from "./stack";
import { keptSecrets, upWith } from "./state";

const ROTATIONS: Readonly<Record<string, (rotation: Rotation) => Promise<void>>> = {
  gossip: rotateGossip,
  certificates: rotateCertificates,
  tokens: rotateTokens,
};

// npm run rotate -- gossip | certificates | tokens [PULUMI OPTIONS]: new secrets in the place of the old ones, while
// everything runs. When it is cut off, the same command goes on.
main(async () => {
  const [kind = "nothing", ...options] = process.argv.slice(2);
  const rotate = Object.hasOwn(ROTATIONS, kind) ? ROTATIONS[kind] : undefined;
  if (rotate === undefined) throw new Error(`rotate takes gossip, certificates or tokens, got ${kind}`);
  const outputs = await stackOutputs();
  if (outputs.managementToken === undefined)
    throw new Error("the stack has nothing to rotate: consul-docker:insecure is set");

  await expectNoChanges(options);
  await rotate({
    kept: await keptSecrets(),
    consul: (managementToken = outputs.managementToken) => new ConsulApi({ ...outputs, managementToken }),
    up: async (settings, ...more) => {
      if ((await upWith(settings, [...options, ...more])) !== 0)
        throw new Error(`pulumi up failed; once npm run up succeeds, npm run rotate -- ${kind} goes on`);
    },
  });
  console.log(`rotated ${kind}`);
  return 0;
});
