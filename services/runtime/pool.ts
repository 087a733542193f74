import type { Connection } from "./connection";
import type { Ejections } from "./ejection";
import type { Instance, View } from "./registry";
import type { Candidate, Strategy } from "./selection";

/** An instance, with what its calls have shown. */
export interface Member extends Candidate {
  readonly instance: Instance;
  readonly connection: Connection;
}

/** How the instances of a target are chosen. */
export interface PoolArgs {
  readonly view: View;
  readonly strategy: Strategy;
  readonly ejections: Ejections;
  readonly connect: (instance: Instance) => Connection;
  /** Called when an instance is ejected. */
  readonly onEject: (instance: Instance) => void;
  /** Milliseconds, from any beginning. @default performance.now */
  readonly now?: () => number;
}

interface MutableMember extends Member {
  instance: Instance;
  weight: number;
  inFlight: number;
  latencyMs: number;
  measuredAt: number;
  /** Calls without an answer, one after the other. */
  silent: number;
  isGone: boolean;
}

/** How a call ended; one that is silent had no answer when it was given up. */
export type End = "answered" | "failed" | "silent" | "canceled";

/** After so many calls without an answer, the connection is made anew. */
const silentCalls = 3;

/** The part of the average that the latest call makes up. */
const latestPart = 0.2;

/** A slow instance is tried again: what was measured fades by half in this time. */
const halfLifeMs = 5_000;

/** The instances that calls can go to, each with its connection and what its calls have shown. */
export class Pool {
  readonly #args: PoolArgs;
  readonly #now: () => number;
  readonly #members = new Map<string, MutableMember>();
  #seen: readonly Instance[] | undefined;
  #best: ReadonlySet<Instance> = new Set();
  #eligible: readonly MutableMember[] = [];
  #standIns: readonly MutableMember[] = [];
  #checkedAt = Number.NEGATIVE_INFINITY;
  #turn = 0;

  constructor(args: PoolArgs) {
    this.#args = args;
    this.#now = args.now ?? (() => performance.now());
    args.view.onChange(() => {
      this.#update();
    });
  }

  /** The member for the next call, none of the `tried` ones; `undefined` when there is none left. */
  pick(tried: readonly Member[]): Member | undefined {
    this.#update();
    const eligible =
      tried.length === 0 ? this.#eligible : this.#eligible.filter((member) => !tried.includes(member));
    if (eligible.length > 0) {
      return this.#args.strategy(eligible, this.#turn++, Math.random);
    }
    return this.#standIns.find((member) => !tried.includes(member));
  }

  /** A call to the member begins; returns what to tell when it ends. */
  begin(picked: Member): (end: End) => void {
    const member = picked as MutableMember;
    const startedAt = this.#now();
    member.inFlight++;
    return (end) => {
      member.inFlight--;
      if (member.isGone) {
        this.#closeIdle(member);
      } else if (end !== "canceled") {
        this.#listen(member, end);
        this.#note(member, end !== "answered", startedAt);
      }
    };
  }

  /** Members that get no calls at present. */
  get ejected(): number {
    return [...this.#members.values()].filter(({ instance }) => this.#args.ejections.share(instance.id) === 0)
      .length;
  }

  /**
   * A host that is gone closes nothing: what was connected to it waits for minutes, even where the instance is up again
   * elsewhere, under the same name.
   */
  #listen(member: MutableMember, end: End): void {
    member.silent = end === "silent" ? member.silent + 1 : 0;
    if (member.silent < silentCalls) return;
    member.silent = 0;
    member.connection.renew();
  }

  #note(member: MutableMember, failed: boolean, startedAt: number): void {
    const now = this.#now();
    // A failure may be quick, which must not make the instance look fast.
    if (!failed) {
      const ms = now - startedAt;
      member.latencyMs =
        member.latencyMs === 0 ? ms : member.latencyMs + (ms - member.latencyMs) * latestPart;
      member.measuredAt = now;
    }
    if (this.#args.ejections.note(member.instance.id, failed, this.#best.size)) {
      this.#args.onEject(member.instance);
      this.#refresh();
    }
  }

  /** Takes over what Consul says, and four times a second what time changes. */
  #update(): void {
    const { instances } = this.#args.view;
    if (instances !== this.#seen) {
      this.#seen = instances;
      this.#replace(instances);
      this.#refresh();
    } else if (this.#now() - this.#checkedAt > 250) {
      this.#refresh();
    }
  }

  #replace(instances: readonly Instance[]): void {
    const known = new Map(instances.map((instance) => [keyOf(instance), instance]));
    for (const [key, member] of this.#members) {
      if (!known.has(key)) {
        member.isGone = true;
        this.#members.delete(key);
        this.#closeIdle(member);
      }
    }
    for (const [key, instance] of known) {
      const member = this.#members.get(key);
      if (member !== undefined) {
        member.instance = instance;
      } else {
        this.#members.set(key, {
          instance,
          connection: this.#args.connect(instance),
          weight: instance.weight,
          inFlight: 0,
          latencyMs: 0,
          measuredAt: 0,
          silent: 0,
          isGone: false,
        });
      }
    }
    this.#best = new Set(best(instances));
    this.#args.ejections.keep(new Set([...this.#best].map(({ id }) => id)));
  }

  #refresh(): void {
    const now = this.#now();
    const members = [...this.#members.values()];
    for (const member of members) {
      member.weight = member.instance.weight * this.#args.ejections.share(member.instance.id);
      const idleMs = now - Math.max(member.measuredAt, this.#checkedAt);
      member.latencyMs *= now - member.measuredAt > 1_000 ? 0.5 ** (idleMs / halfLifeMs) : 1;
    }
    const [wanted, others] = split(members, ({ instance }) => this.#best.has(instance));
    const [eligible, ejected] = split(wanted, ({ weight }) => weight > 0);
    this.#eligible = eligible;
    // Rather an ejected one than none, and rather a critical one: the check may have run at the wrong moment.
    this.#standIns = [...ejected, ...others];
    this.#checkedAt = now;
  }

  #closeIdle(member: MutableMember): void {
    if (member.inFlight === 0) {
      member.connection.close();
    }
  }
}

/** Those that pass or warn; where there are none, all. */
function best(instances: readonly Instance[]): readonly Instance[] {
  const well = instances.filter(isWell);
  return well.length > 0 ? well : instances;
}

function isWell({ status }: Instance): boolean {
  return status !== "critical";
}

/** Those that are so, and those that are not. */
function split<T>(all: readonly T[], isSo: (one: T) => boolean): readonly [readonly T[], readonly T[]] {
  return [all.filter(isSo), all.filter((one) => !isSo(one))];
}

/** An instance that moved is another one; so is one that was critical, to which old connections may lead nowhere. */
function keyOf(instance: Instance): string {
  const { id, address, port } = instance;
  return `${id} ${address} ${port} ${String(isWell(instance))}`;
}
