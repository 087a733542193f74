import { containersGone, removeLeftImages } from "../left-images";
import { enginesOf } from "./clients";
import { capture, main, pulumi, stackName, type StackOutputs } from "./stack";

// npm run down [-- PULUMI OPTIONS]: destroys everything that the stack created, its data included.
main(async () => {
  // What a stack was on is known as long as it is there.
  const [stack, outputs] = await Promise.all([stackName(), capture("stack", "output", "--json")]);
  const engines = enginesOf(JSON.parse(outputs) as Partial<StackOutputs>);
  const code = await pulumi(
    "destroy",
    "--yes",
    "--skip-preview",
    "--suppress-outputs",
    ...process.argv.slice(2),
  );
  if (code !== 0) return code;

  const owner = { project: "consul-docker", stack };
  await containersGone(owner, engines);
  await removeLeftImages(owner, engines);
  return 0;
});
