import { RefusedError, type ConsulApi } from "../../scripts/consul-api";
import { renderSnapshots } from "../../scripts/render";
import { newestSnapshot, snapshotStatus, type Snapshot } from "../../scripts/snapshots";

const newest: Snapshot = {
  name: "dc7-20261125T120000Z.snap",
  takenAt: "2026-11-25T12:00:00Z",
  bytes: 12345,
  index: 41,
  kept: 24,
};
const at = (time: string) =>
  snapshotStatus({ intervalMinutes: 60, keep: 24 }, newest, new Date(`2026-11-25T${time}Z`));

const RED = "\u001b[31m";
const PLAIN = "\u001b[39m";

test("a snapshot is as old as whole minutes have gone since it was begun", () => {
  expect(at("12:12:59")).toEqual({ newest: { ...newest, ageMinutes: 12 }, overdue: false });
});

test("the next one is overdue after two intervals", () => {
  expect(at("13:59:59").overdue).toBe(false);
  expect(at("14:00:00").overdue).toBe(true);
});

test("none at all is overdue", () => {
  expect(snapshotStatus({ intervalMinutes: 60, keep: 24 }, undefined, new Date())).toEqual({
    newest: undefined,
    overdue: true,
  });
});

test("reads as one line", () => {
  expect(renderSnapshots(at("12:12:59"), false)).toBe("snapshots  newest 12 min old, 24 kept");
  expect(renderSnapshots(at("14:30:00"), false)).toBe(
    "snapshots  newest 2 h old, 24 kept: docker logs of the container snapshots says why",
  );
  expect(renderSnapshots({ newest: undefined, overdue: true }, false)).toBe(
    "snapshots  none yet: docker logs of the container snapshots says why",
  );
});

test("is red when it is overdue", () => {
  expect(renderSnapshots(at("12:12:59"), true)).not.toContain(RED);
  expect(renderSnapshots(at("15:00:00"), true)).toContain(
    `${RED}newest 3 h old, 24 kept: docker logs of the container snapshots says why${PLAIN}`,
  );
});

test("the newest one is what the key says, though there is no leader", async () => {
  const asked: string[] = [];
  const consul = { get: (path: string) => Promise.resolve(asked.push(path) && newest) };

  expect(await newestSnapshot(consul as unknown as ConsulApi)).toEqual(newest);
  expect(asked).toEqual(["kv/consul-docker/snapshots/newest?raw&stale"]);
});

test("without the key there is none yet; any other answer is an error", async () => {
  const answering = (status: number) =>
    ({ get: () => Promise.reject(new RefusedError(status, "url", "")) }) as unknown as ConsulApi;

  expect(await newestSnapshot(answering(404))).toBeUndefined();
  await expect(newestSnapshot(answering(403))).rejects.toThrow("Consul answers 403 at url");
});
