/** How long a certificate is still good for. */
export interface CertificateStatus {
  /** Whose it is: ca, server or api. */
  readonly name: string;
  /** The moment it expires, in ISO 8601. */
  readonly expires: string;
  /** Whole days until then; negative once it has expired. */
  readonly daysLeft: number;
  /** Whether it is time for another one: 30 days before. */
  readonly soon: boolean;
}

const DAY_MS = 86_400_000;
const WARNING_DAYS = 30;

/** What is to be said at `now` of certificates that expire at these moments. */
export function certificateStatus(
  expiries: Readonly<Record<string, string>>,
  now: Date,
): CertificateStatus[] {
  return Object.entries(expiries)
    .map(([name, expires]) => {
      const daysLeft = Math.floor((Date.parse(expires) - now.getTime()) / DAY_MS);
      return { name, expires, daysLeft, soon: daysLeft < WARNING_DAYS };
    })
    .sort((a, b) => a.daysLeft - b.daysLeft);
}
