import { ConsulApi } from "./consul-api";
import { showSettled } from "./settle";
import { main, pulumi, stackOutputs } from "./stack";

// npm run up [-- PULUMI OPTIONS]: pulumi up, then a wait until every check passes.
main(async () => {
  const code = await pulumi("up", "--yes", "--skip-preview", "--suppress-outputs", ...process.argv.slice(2));
  if (code !== 0) return code;

  const outputs = await stackOutputs();
  await showSettled(new ConsulApi(outputs), outputs.monitors);
  console.log(`UI       ${outputs.uiUrl}`);
  if (outputs.gatewayUrl !== undefined) console.log(`gateway  ${outputs.gatewayUrl}/products`);
  console.log(`DNS      ${outputs.dnsAddress}`);
  return 0;
});
