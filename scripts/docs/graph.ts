import type { Registration } from "../../tests/unit/mocks";

/** A box of the drawing: one registration with all below it, or several that are alike. */
export interface Box {
  /** The registrations that it stands for, as `Server server-1`. */
  readonly refs: readonly string[];
  /** Kinds of the resources within, each once. */
  readonly resources: readonly string[];
}

/** A component with components of its own, drawn as a frame around their boxes. */
export interface Frame {
  /** The component, as `Cluster consul`. */
  readonly ref: string;
  readonly boxes: readonly Box[];
}

/** What waits for what; each end is the first ref of a box, or the ref of a frame. */
export type Arrow = readonly [first: string, then: string];

/** A program's resources, as far as one drawing can show them. */
export interface Graph {
  /** Boxes outside of frames. */
  readonly boxes: readonly Box[];
  readonly frames: readonly Frame[];
  readonly arrows: readonly Arrow[];
}

/** Draws registrations together: boxes, frames around them, and as few arrows as tell the whole order. */
export function draw(registered: readonly Registration[]): Graph {
  // They arrive in any order, and the drawing is to be the same each time.
  const registrations = registered.toSorted((a, b) => a.ref.localeCompare(b.ref, "en", { numeric: true }));
  const byRef = new Map(registrations.map((one) => [one.ref, one]));
  const isFrame = (ref: string) =>
    isComponent(ref) && registrations.some((one) => one.parent === ref && isComponent(one.ref));
  /** The box that a registration is drawn in, or its frame. */
  const shownAs = (ref: string): string => {
    const parent = byRef.get(ref)?.parent ?? "";
    return parent === "" || isFrame(parent) ? ref : shownAs(parent);
  };

  const shown = registrations.filter(({ ref }) => shownAs(ref) === ref);
  const frames = shown.filter(({ ref }) => isFrame(ref));
  const boxes = shown.filter(({ ref }) => !isFrame(ref));
  const waits = registrations.flatMap(({ ref, dependencies, provider }) =>
    [...dependencies, provider]
      .filter((dependency) => byRef.has(dependency))
      .map((dependency): Arrow => [shownAs(dependency), shownAs(ref)]),
  );
  // What a frame waits for, its boxes wait for: so these arrows count for the order, but are not drawn.
  const within = boxes.flatMap(({ ref, parent }): Arrow[] => (parent === "" ? [] : [[parent, ref]]));
  const arrows = fewest(unique([...waits, ...within].filter(([first, then]) => first !== then))).filter(
    (arrow) => !within.some((inner) => String(inner) === String(arrow)),
  );

  const neighbours = (ref: string) =>
    JSON.stringify([
      kindOf(ref),
      byRef.get(ref)?.parent,
      arrows.filter(([, then]) => then === ref).map(([first]) => first),
      arrows.filter(([first]) => first === ref).map(([, then]) => then),
    ]);
  const alike = [...grouped(boxes, ({ ref }) => neighbours(ref)).values()].map((group) => ({
    parent: group[0]?.parent ?? "",
    refs: group.map(({ ref }) => ref),
    resources: [
      ...new Set(
        registrations
          .filter((one) => !isComponent(one.ref) && group.some(({ ref }) => shownAs(one.ref) === ref))
          .map(({ ref }) => kindOf(ref)),
      ),
    ],
  }));
  const firsts = new Set([...frames.map(({ ref }) => ref), ...alike.map(({ refs: [first] }) => first)]);
  const boxesIn = (parent: string): Box[] =>
    alike.filter((box) => box.parent === parent).map(({ refs, resources }) => ({ refs, resources }));
  return {
    boxes: boxesIn(""),
    frames: frames.map(({ ref }) => ({ ref, boxes: boxesIn(ref) })),
    arrows: arrows.filter((arrow) => arrow.every((end) => firsts.has(end))),
  };
}

/** `Server` of `Server server-1`. */
export function kindOf(ref: string): string {
  return ref.split(" ")[0] ?? "";
}

/** `server-1` of `Server server-1`. */
export function nameOf(ref: string): string {
  return ref.slice(kindOf(ref).length + 1);
}

/** Resources have the package's name before theirs: `docker.Container`. */
function isComponent(ref: string): boolean {
  return !kindOf(ref).includes(".");
}

function grouped<T>(all: readonly T[], by: (one: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const one of all) groups.set(by(one), [...(groups.get(by(one)) ?? []), one]);
  return groups;
}

function unique(arrows: readonly Arrow[]): Arrow[] {
  return [...new Map(arrows.map((arrow) => [String(arrow), arrow])).values()];
}

/** Leaves out every arrow that others make up for; throws where things wait for each other in a circle. */
function fewest(arrows: readonly Arrow[]): Arrow[] {
  const next = grouped(arrows, ([first]) => first);
  const reach = new Map<string, Set<string>>();
  const reachable = (from: string, path: readonly string[]): Set<string> => {
    if (path.includes(from)) throw new Error(`in a circle: ${[...path, from].join(", ")}`);
    const known = reach.get(from);
    if (known !== undefined) return known;
    const found = new Set(
      (next.get(from) ?? []).flatMap(([, then]) => [then, ...reachable(then, [...path, from])]),
    );
    reach.set(from, found);
    return found;
  };
  return arrows.filter(
    ([first, then]) => !(next.get(first) ?? []).some(([, other]) => reachable(other, [first]).has(then)),
  );
}
