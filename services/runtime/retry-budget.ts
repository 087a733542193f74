/** How many retries there may be in relation to the calls. */
export interface RetryBudgetArgs {
  /** Retries that each call allows. @default 0.1 */
  readonly ratio?: number;
  /** Retries that are allowed each second besides, for services that are seldom called. @default 1 */
  readonly perSecond?: number;
  /** Most retries that can be saved up. @default 100 */
  readonly max?: number;
}

/** Lets retries help while few calls fail, and stops them when most do: then they would only add to the load. */
export class RetryBudget {
  readonly #args: Required<RetryBudgetArgs>;
  readonly #now: () => number;
  #balance: number;
  #filledAt: number;

  /** `now` in milliseconds, from any beginning. */
  constructor(args: RetryBudgetArgs = {}, now: () => number = () => performance.now()) {
    this.#args = { ratio: 0.1, perSecond: 1, max: 100, ...args };
    this.#now = now;
    this.#filledAt = now();
    this.#balance = Math.min(this.#args.max, 10);
  }

  /** Notes a call, however often it is tried. */
  deposit(): void {
    this.#balance = Math.min(this.#args.max, this.#balance + this.#args.ratio);
  }

  /** Takes one retry out; false when there is none left. */
  withdraw(): boolean {
    const { perSecond, max } = this.#args;
    const now = this.#now();
    this.#balance = Math.min(max, this.#balance + ((now - this.#filledAt) / 1_000) * perSecond);
    this.#filledAt = now;
    // Tenths add up to a little less than they should.
    if (this.#balance < 1 - 1e-9) {
      return false;
    }
    this.#balance = Math.max(0, this.#balance - 1);
    return true;
  }
}
