/** What a strategy knows of an instance. */
export interface Candidate {
  /** Share of the calls in relation to the others'; above 0. */
  readonly weight: number;
  /** Calls that it has not answered yet. */
  readonly inFlight: number;
  /** Average time of its answers in milliseconds, the latest counting most; 0 before the first. */
  readonly latencyMs: number;
}

/**
 * Chooses one of the candidates, of which there is at least one. `turn` counts the calls from 0; `random` gives numbers
 * from 0 to below 1. A strategy remembers nothing: the same arguments give the same choice.
 */
export type Strategy = <T extends Candidate>(
  candidates: readonly T[],
  turn: number,
  random: () => number,
) => T;

/** Each in its turn; by weight, the turns of all are spread evenly. */
export const roundRobin: Strategy = (candidates, turn) => {
  const first = at(candidates, 0);
  return candidates.every(({ weight }) => weight === first.weight)
    ? at(candidates, turn % candidates.length)
    : byWeight(candidates, (turn * goldenRatio) % 1);
};

/** Any of them, by weight. */
export const random: Strategy = (candidates, _turn, random) => byWeight(candidates, random());

/**
 * The less loaded of two that are taken at random: by calls in flight where both answer about equally fast, else by the
 * time that one more call may take. Two, since the least loaded of all would be flooded by every caller at once.
 */
export const leastLoaded: Strategy = (candidates, _turn, random) => {
  const one = byWeight(candidates, random());
  if (candidates.length === 1) {
    return one;
  }
  const other = byWeight(
    candidates.filter((candidate) => candidate !== one),
    random(),
  );
  const [a, b] = [loadOf(one), loadOf(other)];
  if (isSimilar(one.latencyMs, other.latencyMs)) {
    return other.inFlight * one.weight < one.inFlight * other.weight ? other : one;
  }
  return b < a ? other : one;
};

// Its multiples fill the range from 0 to 1 more evenly than those of any other number.
const goldenRatio = (Math.sqrt(5) - 1) / 2;

/** The candidate whose share of the total weight holds `point`, which is from 0 to below 1. */
function byWeight<T extends Candidate>(candidates: readonly T[], point: number): T {
  let rest = point * candidates.reduce((sum, { weight }) => sum + weight, 0);
  for (const candidate of candidates) {
    rest -= candidate.weight;
    if (rest < 0) {
      return candidate;
    }
  }
  return at(candidates, candidates.length - 1);
}

function at<T>(candidates: readonly T[], index: number): T {
  const candidate = candidates[index];
  if (candidate === undefined) {
    throw new RangeError("there is no candidate to choose");
  }
  return candidate;
}

function loadOf({ inFlight, latencyMs, weight }: Candidate): number {
  return ((inFlight + 1) * latencyMs) / weight;
}

/** Within a factor of two: a smaller difference is as likely chance. A newcomer, at 0, is like everybody. */
function isSimilar(a: number, b: number): boolean {
  return a === 0 || b === 0 || Math.max(a, b) <= 2 * Math.min(a, b);
}
