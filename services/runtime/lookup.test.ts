import type { LookupAddress } from "node:dns";
import { lookupOnce } from "./lookup";

/** A DNS that answers when told to. */
function dns() {
  const asked: {
    hostname: string;
    found: (addresses: LookupAddress[]) => void;
    fail: (error: Error) => void;
  }[] = [];
  const lookup = lookupOnce(
    (hostname) =>
      new Promise((found, fail) => {
        asked.push({ hostname, found, fail });
      }),
  );
  const find = (hostname: string) =>
    new Promise<unknown>((resolve) => {
      lookup(hostname, {}, (error, addresses) => {
        resolve(error ?? addresses);
      });
    });
  return { asked, find };
}

const addresses = [{ address: "10.0.0.7", family: 4 }];

test("however many ask for a name, it is looked up once at a time", async () => {
  const { asked, find } = dns();
  const answers = [find("pricing-1"), find("pricing-1"), find("pricing-1"), find("pricing-2")];
  expect(asked.map(({ hostname }) => hostname)).toEqual(["pricing-1", "pricing-2"]);

  for (const { found } of asked) found(addresses);
  expect(await Promise.all(answers)).toEqual([addresses, addresses, addresses, addresses]);
});

test("after an answer a name is looked up anew, as its container may have moved", async () => {
  const { asked, find } = dns();
  const before = find("pricing-1");
  asked[0]?.found(addresses);
  expect(await before).toEqual(addresses);

  const after = find("pricing-1");
  const moved = [{ address: "10.0.0.8", family: 4 }];
  asked[1]?.found(moved);
  expect(await after).toEqual(moved);
});

test("all who asked are told of a failure, and the name is looked up anew", async () => {
  const { asked, find } = dns();
  const before = [find("pricing-1"), find("pricing-1")];
  const error = new Error("getaddrinfo ENOTFOUND pricing-1");
  asked[0]?.fail(error);
  expect(await Promise.all(before)).toEqual([error, error]);

  const after = find("pricing-1");
  asked[1]?.found(addresses);
  expect(await after).toEqual(addresses);
});
