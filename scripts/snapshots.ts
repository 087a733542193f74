import { SNAPSHOTS_KEY } from "../components/policies";
import type { SnapshotPlan } from "../components/snapshots";
import { RefusedError, type ConsulApi } from "./consul-api";

/** The newest snapshot, as what takes them writes it down. */
export interface Snapshot {
  /** Its file in the volume. */
  readonly name: string;
  /** The moment it was begun, in ISO 8601. */
  readonly takenAt: string;
  readonly bytes: number;
  /** Consul's index, up to which it has everything. */
  readonly index: number;
  /** As many are kept, with this one. */
  readonly kept: number;
}

/** The snapshots of a datacenter at one moment. */
export interface SnapshotStatus {
  /** Undefined while there is none. */
  readonly newest: (Snapshot & { readonly ageMinutes: number }) | undefined;
  /** Whether there should have been a newer one: two intervals ago. */
  readonly overdue: boolean;
}

/** The newest snapshot that was taken at an interval; undefined before the first one. */
export function newestSnapshot(consul: ConsulApi): Promise<Snapshot | undefined> {
  // Without a leader, what the servers last knew still helps.
  return consul.get<Snapshot>(`kv/${SNAPSHOTS_KEY}?raw&stale`).catch((error: unknown) => {
    if (error instanceof RefusedError && error.status === 404) return undefined;
    throw error;
  });
}

/** What is to be said at `now` of snapshots that are taken like this. */
export function snapshotStatus(
  { intervalMinutes }: SnapshotPlan,
  newest: Snapshot | undefined,
  now: Date,
): SnapshotStatus {
  if (newest === undefined) return { newest, overdue: true };
  const ageMinutes = Math.floor((now.getTime() - Date.parse(newest.takenAt)) / 60_000);
  return { newest: { ...newest, ageMinutes }, overdue: ageMinutes >= 2 * intervalMinutes };
}
