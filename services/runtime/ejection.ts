/** When an instance that fails gets no more calls, and for how long. */
export interface EjectionArgs {
  /** Number of an instance's last calls that are looked at. @default 20 */
  readonly calls?: number;
  /** How many of them must have failed. @default 5 */
  readonly failures?: number;
  /** Milliseconds of the first ejection, doubled with each that follows soon. @default 5000 */
  readonly baseMs?: number;
  /** Most milliseconds of an ejection; an instance that was well for as long begins anew. @default 60000 */
  readonly maxMs?: number;
  /** Largest share of the known instances that may be ejected at a time; a lost host may have had two of three. @default 2/3 */
  readonly maxShare?: number;
  /** Milliseconds after its return until an instance has its full share of the calls again. @default 10000 */
  readonly slowStartMs?: number;
}

interface Record {
  /** The last calls, the latest last; true is a failure. */
  readonly outcomes: boolean[];
  failed: number;
  ejections: number;
  /** When the last ejection ends. */
  until: number;
}

/** The smallest share: enough for an instance to show that it is well again. */
const minShare = 0.1;

/** Keeps calls from the instances that fail, though Consul's check passes or has not run yet. */
export class Ejections {
  readonly #args: Required<EjectionArgs>;
  readonly #now: () => number;
  readonly #records = new Map<string, Record>();

  /** `now` in milliseconds, from any beginning. */
  constructor(args: EjectionArgs = {}, now: () => number = () => performance.now()) {
    this.#args = {
      calls: 20,
      failures: 5,
      baseMs: 5_000,
      maxMs: 60_000,
      maxShare: 2 / 3,
      slowStartMs: 10_000,
      ...args,
    };
    this.#now = now;
  }

  /** Notes how a call to the instance ended, of `known` instances in all; returns whether that ejected it. */
  note(id: string, failed: boolean, known: number): boolean {
    let record = this.#records.get(id);
    if (record === undefined) {
      // Of an instance that never failed, there is nothing to remember.
      if (!failed) {
        return false;
      }
      record = { outcomes: [], failed: 0, ejections: 0, until: Number.NEGATIVE_INFINITY };
      this.#records.set(id, record);
    }
    const { calls, failures } = this.#args;
    record.outcomes.push(failed);
    record.failed += failed ? 1 : 0;
    if (record.outcomes.length > calls) {
      record.failed -= record.outcomes.shift() === true ? 1 : 0;
    }
    return record.failed >= failures && this.#eject(record, known);
  }

  /** The share of its calls that an instance gets: 0 while it is ejected, then growing to 1. */
  share(id: string): number {
    const record = this.#records.get(id);
    if (record === undefined) {
      return 1;
    }
    const sinceMs = this.#now() - record.until;
    if (sinceMs < 0) {
      return 0;
    }
    return Math.min(1, Math.max(minShare, sinceMs / this.#args.slowStartMs));
  }

  /** Whether any instance has less than its full share. */
  isActive(): boolean {
    return [...this.#records.keys()].some((id) => this.share(id) < 1);
  }

  /** Forgets all but these. */
  keep(ids: ReadonlySet<string>): void {
    for (const id of this.#records.keys()) {
      if (!ids.has(id)) {
        this.#records.delete(id);
      }
    }
  }

  #eject(record: Record, known: number): boolean {
    const { baseMs, maxMs, maxShare } = this.#args;
    const now = this.#now();
    const ejected = [...this.#records.values()].filter(({ until }) => until > now).length;
    if (record.until > now || ejected + 1 > known * maxShare) {
      return false;
    }
    record.ejections = now - record.until > maxMs ? 1 : record.ejections + 1;
    record.until = now + Math.min(maxMs, baseMs * 2 ** (record.ejections - 1));
    record.outcomes.length = 0;
    record.failed = 0;
    return true;
  }
}
