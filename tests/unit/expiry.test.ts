import { certificateStatus } from "../../scripts/expiry";
import { renderCertificates } from "../../scripts/render";

const NOW = new Date("2026-11-25T12:00:00.000Z");

const certificates = certificateStatus(
  {
    ca: "2036-11-22T12:00:00.000Z",
    server: "2026-12-25T11:59:59.000Z",
    api: "2026-11-25T11:59:59.000Z",
  },
  NOW,
);

test("the days that a certificate is still valid are counted down, the next to expire first", () => {
  expect(certificates.map(({ name, daysLeft, soon }) => [name, daysLeft, soon])).toEqual([
    ["api", -1, true],
    ["server", 29, true],
    ["ca", 3650, false],
  ]);
});

test("thirty days are enough", () => {
  expect(certificateStatus({ server: "2026-12-25T12:00:00.000Z" }, NOW)).toMatchObject([
    { daysLeft: 30, soon: false },
  ]);
});

test("what expires soon is shown with what to do", () => {
  expect(renderCertificates(certificates, false)).toBe(
    [
      "certificates",
      "  api     2026-11-25  expired: npm run rotate -- certificates",
      "  server  2026-12-25  29 days left: npm run rotate -- certificates",
      "  ca      2036-11-22  3650 days left",
    ].join("\n"),
  );
});
