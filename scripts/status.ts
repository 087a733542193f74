import { ConsulApi } from "./consul-api";
import { isHealthy, readDatacenter } from "./datacenter";
import { certificateStatus } from "./expiry";
import { renderCertificates, renderDatacenter } from "./render";
import { main, stackOutputs } from "./stack";

// npm run status [-- --json]: the datacenter at a glance; exits 0 when all of it is healthy, else 1.
main(async () => {
  const outputs = await stackOutputs();
  const status = await readDatacenter(new ConsulApi(outputs));
  const certificates = certificateStatus(outputs.certificateExpiries ?? {}, new Date());
  if (process.argv.includes("--json")) {
    console.log(JSON.stringify({ ...status, certificates }, undefined, 2));
  } else {
    const colour = process.stdout.isTTY;
    console.log(renderDatacenter(status, colour));
    if (certificates.length > 0) console.log(`\n${renderCertificates(certificates, colour)}`);
  }
  return isHealthy(status) && certificates.every(({ daysLeft }) => daysLeft >= 0) ? 0 : 1;
});
