import { consulImage, enginesOf, restartClients } from "./clients";
import { ConsulApi } from "./consul-api";
import { restore } from "./restoration";
import { showSettled } from "./settle";
import { inspectSnapshot, tokensWithin } from "./snapshot-file";
import { expectNoChanges, main, pulumi, stackName, stackOutputs } from "./stack";
import { aclIds } from "./state";

// CONSUL_HTTP_TOKEN: a management token of the snapshot's datacenter, where that is another one.
const snapshotToken = process.env["CONSUL_HTTP_TOKEN"];

// npm run restore -- FILE [PULUMI OPTIONS]: the data of a snapshot in the place of the datacenter's. What the stack has
// in Consul is then as the stack file says.
main(async () => {
  const [file, ...options] = process.argv.slice(2);
  if (file === undefined) throw new Error("restore takes a snapshot's file, got nothing");
  const outputs = await stackOutputs();
  const { managementToken } = outputs;
  const stack = await stackName();
  const index = await inspectSnapshot(file, await consulImage(stack, enginesOf(outputs)));
  console.log(`${file} is a whole snapshot, index ${index}`);

  // A datacenter whose tokens nobody has would be of no use to anybody.
  const usable = [managementToken, snapshotToken].filter((token) => token !== undefined);
  if (managementToken !== undefined && (await tokensWithin(file, usable)).length === 0)
    throw new Error(
      `${file} is of a datacenter with another management token; set CONSUL_HTTP_TOKEN to that one`,
    );
  await expectNoChanges(options);

  await restore({
    file,
    consul: (token) => new ConsulApi({ ...outputs, managementToken: token }),
    managementToken,
    snapshotToken,
    aclIds,
    restartClients: () => restartClients(stack, enginesOf(outputs)),
    up: async () => {
      if (
        (await pulumi("up", "--refresh", "--yes", "--skip-preview", "--suppress-outputs", ...options)) !== 0
      )
        throw new Error(`pulumi up failed; once npm run up succeeds, npm run restore -- ${file} goes on`);
    },
  });
  await showSettled(new ConsulApi(outputs), outputs.monitors);
  return 0;
});
