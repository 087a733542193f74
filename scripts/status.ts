import { isHealthy, readDatacenter } from "./datacenter";
import { renderDatacenter } from "./render";
import { main, stackOutputs } from "./stack";

// npm run status [-- --json]: the datacenter at a glance; exits 0 when all of it is healthy, else 1.
main(async () => {
  const status = await readDatacenter((await stackOutputs()).httpApiUrl);
  console.log(
    process.argv.includes("--json")
      ? JSON.stringify(status, undefined, 2)
      : renderDatacenter(status, process.stdout.isTTY),
  );
  return isHealthy(status) ? 0 : 1;
});
