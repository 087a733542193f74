import type { Answer } from "./answer";
import { found, type Finding } from "./finding";
import type { StackState } from "./state";

export function examineStack(state: Answer<StackState>): Finding {
  if ("failure" in state)
    return found("stack", "cannot be read", [
      { what: `Pulumi cannot read the stack's state: ${state.failure}`, advice: advice(state.failure) },
    ]);
  const { owner, size, outputs } = state.value;
  if (size === 0)
    return found("stack", `${owner.stack} is not up`, [
      { what: `the stack ${owner.stack} has created nothing`, advice: "npm run up" },
    ]);
  return found(
    "stack",
    `${owner.stack}, ${size} resources`,
    outputs.httpApiUrl === undefined
      ? [{ what: "the stack never came up as a whole: it has no outputs", advice: "npm run up" }]
      : [],
  );
}

function advice(failure: string): string {
  return /passphrase/i.test(failure)
    ? "unset PULUMI_CONFIG_PASSPHRASE; export PULUMI_CONFIG_PASSPHRASE_FILE=$PWD/.dev-passphrase"
    : "npm run setup, which selects the stack; pulumi stack ls lists what there is";
}
