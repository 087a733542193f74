/** What is generated within a page, by the name in its marks. */
export type Parts = Readonly<Record<string, string>>;

/**
 * The page with its generated parts put anew: each is between `<!-- generated: NAME -->` and `<!-- end -->`. What is
 * outside the marks is written by hand and stays.
 */
export function renew(page: string, parts: Parts): string {
  return Object.entries(parts).reduce((text, [name, part]) => {
    const mark = `<!-- generated: ${name} -->`;
    const [before, rest, ...more] = text.split(mark);
    const end = rest?.indexOf("<!-- end -->") ?? -1;
    if (before === undefined || rest === undefined || more.length > 0 || end === -1)
      throw new Error(`expected one ${mark} with its <!-- end -->`);
    return `${before}${mark}\n\n${part.trim()}\n\n${rest.slice(end)}`;
  }, page);
}

/** A table in Markdown, laid out as Prettier lays it out. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [head, ...rows].map((line) => line.map((cell) => cell.replaceAll("|", "\\|")));
  const widths = head.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  const [first = "", ...others] = lines.map(
    (line) => `| ${line.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(" | ")} |`,
  );
  return [first, `| ${widths.map((width) => "-".repeat(width)).join(" | ")} |`, ...others].join("\n");
}
