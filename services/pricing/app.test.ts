import { Pricing } from "@consul-docker/protocol";
import { Health } from "@consul-docker/runtime";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import fc from "fast-check";
import { closeAll, recordedLog, serve } from "../runtime/testing/helpers";
import { createApp, pricingConfig } from "./app";
import { discounted } from "./prices";

afterEach(closeAll);

async function setUp() {
  const config = { current: pricingConfig.parse({}) };
  const app = createApp({ log: recordedLog().log, health: new Health({}), instance: "pricing-1", config });
  const transport = createConnectTransport({
    baseUrl: `http://127.0.0.1:${await serve(app)}`,
    httpVersion: "1.1",
  });
  const { getPrices } = createClient(Pricing, transport);
  const moneys = async (...ids: string[]) =>
    (await getPrices({ ids })).prices.map(({ id, money }) => [id, money?.minorUnits, money?.currency]);
  return { config, getPrices, moneys };
}

test("prices are in EUR and without discount by default, and the instance names itself", async () => {
  const { getPrices, moneys } = await setUp();
  expect(await moneys("grinder", "espresso-cup")).toEqual([
    ["grinder", 11_900n, "EUR"],
    ["espresso-cup", 1_290n, "EUR"],
  ]);
  expect((await getPrices({ ids: ["grinder"] })).servedBy).toBe("pricing-1");
});

test("prices follow the live configuration", async () => {
  const { config, moneys } = await setUp();
  config.current = { discountPercent: 10, currency: "CHF" };
  expect(await moneys("house-blend")).toEqual([["house-blend", 1_238n, "CHF"]]);
});

test("an id without a price is left out", async () => {
  const { moneys } = await setUp();
  expect(await moneys("no-such-thing", "grinder")).toEqual([["grinder", 11_900n, "EUR"]]);
});

test.each([
  ["no id", [], /^ids: /],
  ["101 ids", Array.from({ length: 101 }, () => "grinder"), /^ids: /],
  [
    "an id in capitals",
    ["grinder", "Cup"],
    /^ids\.1: expected 1 to 64 lower-case letters, digits and hyphens$/,
  ],
  ["an id that is too long", ["x".repeat(65)], /^ids\.0: expected/],
])("%s is refused as an invalid argument", async (_what, ids, message) => {
  const { getPrices } = await setUp();
  const error = ConnectError.from(await getPrices({ ids }).catch((reason: unknown) => reason));
  expect(error.code).toBe(Code.InvalidArgument);
  expect(error.rawMessage).toMatch(message);
});

test.each([{ discountPercent: 91 }, { discountPercent: 1.5 }, { currency: "eur" }, { discount: 5 }])(
  "the configuration %j is refused",
  (values) => {
    expect(pricingConfig.safeParse(values).success).toBe(false);
  },
);

test("a discount is within half a hundredth of the exact one", () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 10n ** 12n }), fc.nat({ max: 90 }), (price, percent) => {
      const excess = discounted(price, percent) * 100n - price * BigInt(100 - percent);
      expect(excess > -50n && excess <= 50n).toBe(true);
    }),
  );
});
