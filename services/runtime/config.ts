import { z } from "zod";
import type { Consul } from "./consul";
import { describeIssues } from "./input";
import type { Logger } from "./logger";
import { type Followed, Watch } from "./watch";

/** What to follow and how it is checked. */
export interface LiveConfigArgs<T> {
  readonly consul: Consul;
  /** Name of the service whose keys are followed, below `services/NAME/`. */
  readonly service: string;
  /** Shape of the values, with a default for each. */
  readonly schema: z.ZodType<T>;
  readonly log: Logger;
}

/**
 * A service's settings in Consul's key-value store, followed while it runs. Each key below `services/NAME/` is one
 * value in JSON; text that is not JSON is a string. Values that the schema refuses change nothing and are logged.
 */
export class LiveConfig<T> implements Followed {
  readonly #watch: Watch;
  #current: T;

  /** Throws when the schema has no default for a value. */
  constructor({ consul, service, schema, log }: LiveConfigArgs<T>) {
    const prefix = `services/${service}/`;
    this.#current = schema.parse({});
    this.#watch = new Watch({
      consul,
      path: `/v1/kv/${prefix}?recurse=true`,
      log,
      onValue: (value) => {
        const { success, data, error } = schema.safeParse(toObject(prefix, value));
        if (success) {
          this.#current = data;
          log.info({ prefix }, "configuration taken");
        } else {
          log.error(
            { prefix, reason: describeIssues(error) },
            "configuration refused; the last good one stays",
          );
        }
      },
    });
  }

  /** The last good values; the schema's defaults until there are any. */
  get current(): T {
    return this.#current;
  }

  isReady(): boolean {
    return this.#watch.isReady();
  }

  stop(): void {
    this.#watch.stop();
  }
}

const pairs = z.array(z.object({ Key: z.string(), Value: z.string().nullable() })).default([]);

/** The prefix itself may be a key, as the UI makes it for a folder; it holds no value. */
function toObject(prefix: string, value: unknown): Record<string, unknown> {
  const entries = pairs
    .parse(value)
    .map(({ Key, Value }) => [Key.slice(prefix.length), decode(Value ?? "")] as const)
    .filter(([key]) => key !== "");
  return Object.fromEntries(entries);
}

function decode(base64: string): unknown {
  const text = Buffer.from(base64, "base64").toString("utf8");
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
