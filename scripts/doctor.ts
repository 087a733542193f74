import { atHosts, enginesByContainer } from "./doctor/at-hosts";
import { examine } from "./doctor/examine";
import { collectFacts } from "./doctor/facts";
import { renderFindings } from "./doctor/render";
import { main } from "./stack";

// npm run doctor [-- --json]: what is wrong, and what to do; exits 0 when all is well, else 1.
main(async () => {
  const { platform, env } = process;
  const facts = await collectFacts();
  const findings = atHosts(
    examine(facts, { platform, dockerHost: env["DOCKER_HOST"] }, new Date()),
    enginesByContainer(facts),
  );
  console.log(
    process.argv.includes("--json")
      ? JSON.stringify(findings, undefined, 2)
      : renderFindings(findings, process.stdout.isTTY),
  );
  return findings.every(({ ok }) => ok === true) ? 0 : 1;
});
