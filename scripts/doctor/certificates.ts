import { certificateStatus } from "../expiry";
import { found, type Finding, type Problem } from "./finding";
import type { Certificate } from "./state";

export function examineCertificates(certificates: readonly Certificate[], now: Date): Finding {
  if (certificates.length === 0) return found("certificates", "none: the datacenter is insecure");
  const status = certificateStatus(
    Object.fromEntries(certificates.map(({ name, to }) => [name, to.toISOString()])),
    now,
  );
  const early = certificates
    .filter(({ from }) => from > now)
    .map(({ name, from }) => ({
      what: `${name} is not valid before ${from.toISOString()}, this machine's clock shows ${now.toISOString()}`,
      advice: "sudo timedatectl set-ntp true",
    }));
  const late = status
    .filter(({ soon }) => soon)
    .map(({ name, daysLeft }): Problem => ({
      what: daysLeft < 0 ? `${name} has expired` : `${name} expires in ${daysLeft} days`,
      // Agents trust this one authority, and no command gives them another while they run.
      advice:
        name === "ca"
          ? "npm run down, then npm run up: another authority needs a new datacenter, without the old one's data"
          : "npm run rotate -- certificates",
    }));
  const [first] = status;
  return found(
    "certificates",
    `${certificates.length}, ${first?.name ?? ""} is the first to expire, on ${first?.expires.slice(0, 10) ?? ""}`,
    [...early, ...late],
  );
}
