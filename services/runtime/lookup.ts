import type { LookupAddress } from "node:dns";
import { lookup } from "node:dns/promises";
import type { LookupFunction } from "node:net";

/**
 * Looks names up, each no more than once at a time: who asks for one that is being looked up gets the same answer.
 * Node.js has few threads for it, and a name that DNS is silent about, as that of an instance on a lost host, holds one
 * for seconds. Asked for again with each attempt, it would soon have them all, and no name would be found any more.
 */
export function lookupOnce(
  ask: (hostname: string) => Promise<LookupAddress[]> = (hostname) => lookup(hostname, { all: true }),
): LookupFunction {
  const underWay = new Map<string, Promise<LookupAddress[]>>();

  return (hostname, _options, callback) => {
    const answer = underWay.get(hostname) ?? ask(hostname).finally(() => underWay.delete(hostname));
    underWay.set(hostname, answer);
    answer.then(
      (addresses) => {
        callback(null, addresses);
      },
      (error: unknown) => {
        callback(error as NodeJS.ErrnoException, []);
      },
    );
  };
}
