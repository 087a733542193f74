import { setTimeout as sleep } from "node:timers/promises";
import type { ConsulApi } from "./consul-api";
import { isHealthy, readDatacenter, type DatacenterStatus } from "./datacenter";
import { renderDatacenter } from "./render";

const SETTLE_SECONDS = 60;

/** Waits until these monitors work and every check passes, and prints the datacenter; throws an Error of one line when one does not. */
export async function showSettled(consul: ConsulApi, monitors: readonly string[]): Promise<void> {
  console.log("waiting until every check passes");
  const status = await settle(consul, monitors);
  console.log(`\n${renderDatacenter(status, process.stdout.isTTY)}\n`);
  if (!isHealthy(status)) {
    throw new Error(
      `not every check passes after ${SETTLE_SECONDS} s; npm run status shows which, docker logs of the container why`,
    );
  }
}

async function settle(consul: ConsulApi, monitors: readonly string[]): Promise<DatacenterStatus> {
  const deadline = Date.now() + SETTLE_SECONDS * 1000;
  for (;;) {
    const status = await readDatacenter(consul, monitors);
    if (isHealthy(status) || Date.now() > deadline) return status;
    await sleep(500);
  }
}
