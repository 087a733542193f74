/** What `/ready` answers. */
export interface Readiness {
  readonly status: "ready" | "starting" | "stopping";
  /** Names of what has no first view yet. */
  readonly waitingFor?: readonly string[];
}

/** Whether an instance should get calls: once all it follows has a first view, and until it begins to stop. */
export class Health {
  readonly #probes: Readonly<Record<string, { isReady(): boolean }>>;
  #stopping = false;

  /** Takes what must be ready, by the name that `/ready` shows. */
  constructor(probes: Readonly<Record<string, { isReady(): boolean }>>) {
    this.#probes = probes;
  }

  /** Refuses calls from now on. */
  stop(): void {
    this.#stopping = true;
  }

  readiness(): Readiness {
    if (this.#stopping) {
      return { status: "stopping" };
    }
    const waitingFor = Object.keys(this.#probes).filter((name) => this.#probes[name]?.isReady() === false);
    return waitingFor.length === 0 ? { status: "ready" } : { status: "starting", waitingFor };
  }
}
