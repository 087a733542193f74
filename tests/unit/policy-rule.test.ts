import { Secret, type ResourceValidationArgs, type StackValidationArgs } from "@pulumi/policy";
import { plain, SECRET, UNKNOWN, type Resource } from "../../policy/resource";
import { resourcePolicy, secretsPolicy, stackPolicy } from "../../policy/rule";

const named = { name: "rule", description: "A rule." };

/** Properties as Pulumi hands them over: reading an unknown one throws, reading a secret takes its mark off. */
function handedOver(target: object): Record<string, unknown> {
  return new Proxy(target as Record<string, unknown>, {
    get: (holder, key: string) => {
      const given = holder[key];
      const value: unknown = given instanceof Secret ? given.value : given;
      if (value === "unknown") throw new Error("can't be known during preview");
      return typeof value === "object" && value !== null ? handedOver(value) : value;
    },
  });
}

function args(props: object): ResourceValidationArgs {
  const given = { type: "a:b:C", name: "c", urn: "urn:c", props: handedOver(props) };
  return given as unknown as ResourceValidationArgs;
}

test("unknown values are told from known ones, at any depth", () => {
  const given = handedOver({ a: 1, b: "unknown", c: [{ d: "unknown", e: null }] });
  expect(plain(given)).toEqual({ a: 1, b: UNKNOWN, c: [{ d: UNKNOWN, e: null }] });
});

test("a resource's rule sees secrets in plain and reports each fault", () => {
  const faults = jest.fn(() => ["first", "second"]);
  const report = jest.fn();
  void [resourcePolicy({ ...named, faults }).validateResource]
    .flat()
    .map((validate) => validate?.(args({ token: new Secret("hunter2") }), report));

  expect(faults).toHaveBeenCalledWith({
    type: "a:b:C",
    name: "c",
    urn: "urn:c",
    props: { token: "hunter2" },
  });
  expect(report.mock.calls).toEqual([["first"], ["second"]]);
});

test("a rule has a level of its own where it names one, and else the pack's", () => {
  const faults = () => [];

  expect(resourcePolicy({ ...named, faults })).not.toHaveProperty("enforcementLevel");
  expect(resourcePolicy({ ...named, faults, enforcementLevel: "disabled" })).toMatchObject({
    enforcementLevel: "disabled",
  });
});

test("a stack's rule reports each fault at its resource", () => {
  const report = jest.fn();
  const policy = stackPolicy({ ...named, faults: (all) => all.map(({ name, urn }) => [name, urn]) });
  const stack = { resources: [args({}), args({})] };
  void policy.validateStack(stack as unknown as StackValidationArgs, report);

  expect(report.mock.calls).toEqual([
    ["c", "urn:c"],
    ["c", "urn:c"],
  ]);
});

test("a rule on marks sees the marks, changes nothing, and reports in the validation", async () => {
  const seen: Resource["props"][] = [];
  const report = jest.fn();
  const policy = secretsPolicy({
    ...named,
    faults: ({ props }) => {
      seen.push(props);
      return ["in plain"];
    },
  });
  const given = args({
    token: new Secret("hunter2"),
    keys: [{ value: new Secret("x"), path: "p" }],
    u: "unknown",
  });

  expect(await policy.remediateResource?.(given)).toBeUndefined();
  expect(report).not.toHaveBeenCalled();
  for (const validate of [policy.validateResource].flat()) await validate?.(given, report);

  expect(seen).toEqual([{ token: SECRET, keys: [{ value: SECRET, path: "p" }], u: UNKNOWN }]);
  expect(report.mock.calls).toEqual([["in plain"]]);
  expect(policy.enforcementLevel).toBe("remediate");
});
