import { styleText } from "node:util";
import type { Finding } from "./finding";

const WIDTH = { mark: 7, area: 13 };

/** The findings in lines of text, the count of problems last; in colour when `colour` is set. */
export function renderFindings(findings: readonly Finding[], colour: boolean): string {
  const paint = (format: "green" | "red" | "dim" | "bold", text: string) =>
    colour ? styleText(format, text, { validateStream: false }) : text;
  const lines = findings.flatMap(({ area, ok, seen, problems }) => {
    const [mark, format] =
      ok === null ? (["-", "dim"] as const) : ok ? (["ok", "green"] as const) : (["problem", "red"] as const);
    return [
      `${paint(format, mark.padEnd(WIDTH.mark))}  ${area.padEnd(WIDTH.area)}  ${clean(seen)}`,
      ...problems.flatMap(({ what, advice }) => [
        `    ${paint("red", clean(what))}`,
        `      ${clean(advice)}`,
      ]),
    ];
  });
  const count = findings.reduce((sum, { problems }) => sum + problems.length, 0);
  const verdict =
    count === 0
      ? paint("green", "healthy")
      : paint("red", `${count} ${count === 1 ? "problem" : "problems"}`);
  return [...lines, verdict].join("\n");
}

/** What others wrote must not steer the terminal. */
function clean(text: string): string {
  return text.replaceAll(/[\u0000-\u001f\u007f-\u009f]+/g, " ");
}
