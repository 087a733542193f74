import { ConsulApi, RefusedError } from "./consul-api";
import { main } from "./stack";
import { consulProviders } from "./state";

// scripts/known-token.ts [PULUMI ARGUMENTS]: what the launcher asks before it lets Pulumi refresh. To the official
// plugin, Consul's "ACL not found" means that the token or policy it asked for is gone. But Consul says the same when it
// does not know the token of who asks, and so every token and policy would leave the state.
main(async () => {
  // A state that cannot be read, for want of a stack or its passphrase, is Pulumi's to complain of.
  for (const provider of await consulProviders(process.argv.slice(2)).catch(() => []))
    if (await isUnknown(new ConsulApi(provider)))
      throw new Error(
        "Consul does not know the stack's management token, and a refresh would take all tokens and policies out of the state: see docs/operations.md, Management token lost",
      );
  return 0;
});

/** Whether Consul says that it does not know the token. Where it says nothing, a refresh fails and takes nothing out. */
async function isUnknown(consul: ConsulApi): Promise<boolean> {
  try {
    await consul.get("acl/token/self");
    return false;
  } catch (error) {
    return error instanceof RefusedError && error.message.includes("ACL not found");
  }
}
