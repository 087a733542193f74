import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { z } from "zod";
import { draw } from "../../scripts/docs/graph";
import { mermaid } from "../../scripts/docs/mermaid";
import { renew, table } from "../../scripts/docs/page";
import { generatedParts } from "../../scripts/docs/pages";
import { row } from "../../scripts/docs/settings";
import type { Registration } from "./mocks";

jest.mock("../../bundle", () => ({
  bundleServices: jest.fn((services: readonly { readonly name: string }[]) =>
    Promise.resolve(services.map((service) => ({ ...service, bundle: { context: "built", hash: "abc" } }))),
  ),
}));

const read = (file: string) => readFileSync(file, "utf8");

test("the generated parts of the pages are those of the program and its settings: else run npm run docs", async () => {
  const parts = await generatedParts();

  expect(Object.keys(parts)).toEqual([
    "docs/architecture.md",
    "docs/consul-versions.md",
    "docs/licences.md",
    "docs/settings.md",
  ]);
  for (const [file, own] of Object.entries(parts)) expect(renew(read(file), own)).toBe(read(file));
});

test("the links of the pages lead to files and headings that are there", () => {
  const pages = readdirSync("docs").filter((file) => file.endsWith(".md"));
  const broken = pages.flatMap((page) => {
    const text = read(join("docs", page)).replaceAll(/```.*?```/gs, "");
    return [...text.matchAll(/\]\(([^)\s]+)\)/g)]
      .map(([, link = ""]) => link)
      .filter((link) => !link.startsWith("https://"))
      .filter((link) => {
        const [path = "", heading] = link.split("#");
        const file = path === "" ? join("docs", page) : join(dirname(join("docs", page)), path);
        return !existsSync(file) || (heading !== undefined && !headingsOf(file).includes(heading));
      })
      .map((link) => `${page}: ${link}`);
  });

  expect(broken).toEqual([]);
});

/** The anchors that GitHub gives to a page's headings. */
function headingsOf(file: string): string[] {
  return [...read(file).matchAll(/^#+ (.*)$/gm)].map(([, heading = ""]) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\w\- ]/g, "")
      .replaceAll(" ", "-"),
  );
}

test("a part is put between its marks, and what is written around them stays", () => {
  const page = "before\n<!-- generated: a -->\nold\n<!-- end -->\nafter";

  expect(renew(page, { a: "new" })).toBe("before\n<!-- generated: a -->\n\nnew\n\n<!-- end -->\nafter");
  expect(() => renew(page, { b: "new" })).toThrow("expected one <!-- generated: b --> with its <!-- end -->");
});

test("a table's columns are as wide as their widest cell, and a bar within a cell is no border", () => {
  expect(table(["Key", "Allowed"], [["`a`", "x|y"]])).toBe(
    "| Key | Allowed |\n| --- | ------- |\n| `a` | x\\|y    |",
  );
});

describe("a setting's line", () => {
  const text = "Raft voters.";

  test("has type, default and what is allowed from the schema, and the words of its comment", () => {
    const three = z.literal([1, 3], "1 or 3").default(3);
    expect(row("servers", three, { text, byDefault: "3" })).toEqual([
      "`servers`",
      "number",
      "`3`",
      "1 or 3",
      "Raft voters",
    ]);
    const names = z.array(z.string("a name"), "a list of names");
    expect(row("names", names, { text: "Names; secret.", byDefault: undefined })).toEqual([
      "`names`",
      "list of strings",
      "required",
      "a list of names; a name",
      "Names",
    ]);
    expect(row("gossipKey", z.string("text").optional(), { text, byDefault: "made once" })).toEqual([
      "`gossipKey`",
      "string, secret",
      "made once",
      "text",
      "Raft voters",
    ]);
  });

  test("is refused where the comment is missing, or says another default than the schema", () => {
    const setting = z.int().default(3);
    expect(() => row("servers", setting, undefined)).toThrow("servers has no comment in settings/schema.ts");
    expect(() => row("servers", setting, { text, byDefault: "2" })).toThrow(
      "servers has the default 3, but its comment says 2",
    );
  });
});

describe("the drawing", () => {
  const registered = (ref: string, parent = "", dependencies: readonly string[] = [], provider = "") =>
    ({ ref, parent, dependencies, provider }) as Registration;
  const registrations = [
    registered("Cluster c", "", ["docker.Image i"]),
    registered("Server s-10", "Cluster c", ["docker.Container s-2"]),
    registered("docker.Container s-10", "Server s-10", ["docker.Container s-2", "docker.Volume v"]),
    registered("Server s-2", "Cluster c"),
    registered("docker.Container s-2", "Server s-2", ["docker.Volume v", "docker.Volume w"]),
    registered("docker.Volume v", "Cluster c"),
    registered("docker.Volume w", "Cluster c"),
    registered("docker.Image i"),
    registered("consul.Keys k", "", ["docker.Container s-10"], "docker.Image i"),
  ];

  test("frames components with components, draws those that are alike as one, and as few arrows as tell the order", () => {
    const server = (name: string) => ({ refs: [`Server ${name}`], resources: ["docker.Container"] });
    expect(draw(registrations)).toEqual({
      boxes: [
        { refs: ["consul.Keys k"], resources: ["consul.Keys"] },
        { refs: ["docker.Image i"], resources: ["docker.Image"] },
      ],
      frames: [
        {
          ref: "Cluster c",
          boxes: [
            { refs: ["docker.Volume v", "docker.Volume w"], resources: ["docker.Volume"] },
            server("s-2"),
            server("s-10"),
          ],
        },
      ],
      arrows: [
        ["docker.Image i", "Cluster c"],
        ["Server s-10", "consul.Keys k"],
        ["docker.Volume v", "Server s-2"],
        ["Server s-2", "Server s-10"],
      ],
    });
  });

  test("is the same in whichever order the registrations arrive", () => {
    expect(mermaid(draw(registrations.toReversed()))).toBe(mermaid(draw(registrations)));
  });

  test("is refused where things wait for each other", () => {
    const circle = [registered("Server a", "", ["Server b"]), registered("Server b", "", ["Server a"])];
    expect(() => draw(circle)).toThrow("in a circle: Server b, Server a, Server b");
  });
});
