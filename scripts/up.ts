import { setTimeout as sleep } from "node:timers/promises";
import { ConsulApi } from "./consul-api";
import { isHealthy, readDatacenter, type DatacenterStatus } from "./datacenter";
import { renderDatacenter } from "./render";
import { main, pulumi, stackOutputs } from "./stack";

const SETTLE_SECONDS = 60;

// npm run up [-- PULUMI OPTIONS]: pulumi up, then a wait until every check passes.
main(async () => {
  const code = await pulumi("up", "--yes", "--skip-preview", "--suppress-outputs", ...process.argv.slice(2));
  if (code !== 0) return code;

  const outputs = await stackOutputs();
  console.log("waiting until every check passes");
  const status = await settle(new ConsulApi(outputs));
  console.log(`\n${renderDatacenter(status, process.stdout.isTTY)}\n`);
  if (!isHealthy(status)) {
    throw new Error(
      `not every check passes after ${SETTLE_SECONDS} s; npm run status shows which, docker logs of the container why`,
    );
  }
  console.log(`UI       ${outputs.uiUrl}`);
  if (outputs.gatewayUrl !== undefined) console.log(`gateway  ${outputs.gatewayUrl}/products`);
  console.log(`DNS      ${outputs.dnsAddress}`);
  return 0;
});

async function settle(consul: ConsulApi): Promise<DatacenterStatus> {
  const deadline = Date.now() + SETTLE_SECONDS * 1000;
  for (;;) {
    const status = await readDatacenter(consul);
    if (isHealthy(status) || Date.now() > deadline) return status;
    await sleep(500);
  }
}
