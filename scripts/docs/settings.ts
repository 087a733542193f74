import { z } from "zod";
import { check, host, SECRETS, service, shape, snapshots } from "../../settings/schema";
import { docComments, type DocComment } from "./doc-comments";
import { table, type Parts } from "./page";

const SCHEMA = "settings/schema.ts";
// What the comment says where the default is in that file.
const IN_VERSIONS = "the one in `versions.env`";
// Secrets of one's own, and what belongs to them.
const OWN_KEY = /(Key|Token|Certificate)$/;

/** The tables of the settings: names and what is allowed from the schema, the words from its comments. */
export function settingsParts(): Parts {
  const comments = docComments(SCHEMA);
  const tableOf = (constant: string, members: Readonly<Record<string, z.ZodType>>) =>
    table(
      ["Key", "Type", "Default", "Allowed", "What it sets"],
      Object.entries(members).map(([key, member]) => row(key, member, comments.get(constant)?.get(key))),
    );
  const some = (own: boolean) =>
    Object.fromEntries(Object.entries(shape).filter(([key]) => OWN_KEY.test(key) === own));
  return {
    settings: tableOf("shape", some(false)),
    keys: tableOf("shape", some(true)),
    host: tableOf("host", host.unwrap().shape),
    snapshots: tableOf("snapshots", snapshots.unwrap().shape),
    service: tableOf("service", service.unwrap().shape),
    check: tableOf("check", check.unwrap().shape),
  };
}

/** A JSON schema, as far as it is read here. */
interface JsonSchema {
  readonly type?: string;
  readonly items?: JsonSchema;
  readonly default?: unknown;
}

/** One line of a table; throws where the comment is missing, or says another default than the schema. */
export function row(key: string, member: z.ZodType, comment: DocComment | undefined): string[] {
  if (comment === undefined) throw new Error(`${key} has no comment in ${SCHEMA}`);
  const json = z.toJSONSchema(member, { io: "input", unrepresentable: "any" }) as JsonSchema;
  const byDefault = plain(json.default);
  if (byDefault !== undefined && comment.byDefault !== byDefault && comment.byDefault !== IN_VERSIONS)
    throw new Error(
      `${key} has the default ${byDefault}, but its comment says ${comment.byDefault ?? "nothing"}`,
    );
  const isRequired = json.default === undefined && !member.safeParse(undefined).success;
  return [
    `\`${key}\``,
    `${typeName(json)}${SECRETS.includes(key) ? ", secret" : ""}`,
    isRequired ? "required" : byDefault === undefined ? (comment.byDefault ?? "none") : `\`${byDefault}\``,
    allowed(member, json),
    comment.text.replace(/; secret\.$/, "").replace(/\.$/, ""),
  ];
}

/** Lists and tables are told by the words of the comment. */
function plain(byDefault: unknown): string | undefined {
  return ["string", "number", "boolean"].includes(typeof byDefault)
    ? JSON.stringify(byDefault).replaceAll('"', "")
    : undefined;
}

const NAMES: Readonly<Record<string, string>> = { integer: "number", object: "table" };

function typeName({ type = "string", items }: JsonSchema): string {
  if (type === "array") return `list of ${typeName(items ?? {})}s`;
  return NAMES[type] ?? type;
}

/** The schema's own words on what is allowed: what its messages say of values that are not. */
function allowed(member: z.ZodType, { type }: JsonSchema): string {
  const nothing = Symbol();
  const wrong: readonly unknown[] =
    type === "array"
      ? [nothing, [], [nothing]]
      : type === "object"
        ? [nothing, { "": "" }, { key: "x".repeat(10_000) }]
        : [nothing];
  const messages = wrong.flatMap((value) => messagesOf(member.safeParse(value).error?.issues ?? []));
  const told = [...new Set(messages)];
  return told.filter((one) => !told.some((other) => other !== one && other.startsWith(one))).join("; ");
}

function messagesOf(issues: readonly z.core.$ZodIssue[]): string[] {
  return issues.flatMap((issue) => {
    if (issue.code === "invalid_key") return messagesOf(issue.issues);
    return issue.code === "unrecognized_keys" ? [] : [issue.message];
  });
}
