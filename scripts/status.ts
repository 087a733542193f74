import { ConsulApi } from "./consul-api";
import { isHealthy, readDatacenter } from "./datacenter";
import { certificateStatus } from "./expiry";
import { renderCertificates, renderDatacenter, renderSnapshots } from "./render";
import { newestSnapshot, snapshotStatus } from "./snapshots";
import { main, stackOutputs } from "./stack";

// npm run status [-- --json]: the datacenter at a glance; exits 0 when all of it is healthy, else 1.
main(async () => {
  const outputs = await stackOutputs();
  const consul = new ConsulApi(outputs);
  const status = await readDatacenter(consul, outputs.monitors);
  const certificates = certificateStatus(outputs.certificateExpiries ?? {}, new Date());
  const snapshots =
    outputs.snapshots === undefined
      ? undefined
      : snapshotStatus(outputs.snapshots, await newestSnapshot(consul), new Date());
  if (process.argv.includes("--json")) {
    console.log(JSON.stringify({ ...status, certificates, snapshots }, undefined, 2));
  } else {
    const colour = process.stdout.isTTY;
    console.log(renderDatacenter(status, colour));
    if (certificates.length > 0) console.log(`\n${renderCertificates(certificates, colour)}`);
    if (snapshots !== undefined) console.log(`\n${renderSnapshots(snapshots, colour)}`);
  }
  return isHealthy(status) &&
    certificates.every(({ daysLeft }) => daysLeft >= 0) &&
    snapshots?.overdue !== true
    ? 0
    : 1;
});
