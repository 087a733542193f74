// The last word of a name decides: CONSUL_HTTP_TOKEN is a secret, CONSUL_HTTP_TOKEN_FILE says where one is.
const SECRET_NAME =
  /(?:^|[^a-z])(?:token|secret|password|passwd|passphrase|credentials?|(?:api|private|access|secret|encryption|gossip)[-_. ]?key)s?$/i;

/** Whether something of this name holds a secret. */
export function namesSecret(name: string): boolean {
  const words = name.replace(/(?<=[a-z0-9])(?=[A-Z])/g, "_").replace(/\.(json|pem|txt|key)$/, "");
  return SECRET_NAME.test(words);
}

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

const KINDS: readonly (readonly [string, RegExp])[] = [
  ["a private key", /-----BEGIN [A-Z ]*PRIVATE KEY-----/],
  ["a signed token", /\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}/],
  [
    "an access token",
    /\b(?:gh[pousr]_|github_pat_|glpat-|sk_live_|xox[abprs]-|hv[sb]\.|pul-|AKIA)[\w-]{12,}/,
  ],
  ["a URL with a password", /\b[a-z][\w+.-]*:\/\/[^\s/:@]*:[^\s/@$]+@/i],
  // 16, 24 or 32 bytes, as `consul keygen` prints them.
  ["an encryption key", /^(?:[\w+/]{22}==|[\w+/]{43}=|[\w+/]{32})$/],
];

// A hash has no capital letter, and a word or a path no mixture of the three.
const MIXTURE = /(?=.*[a-z])(?=.*[A-Z])(?=.*\d)/;

/** What kind of secret a text is or has in it, by its look; undefined for others. */
export function looksLikeSecret(value: string): string | undefined {
  return KINDS.find(
    ([kind, pattern]) => pattern.test(value) && (kind !== "an encryption key" || MIXTURE.test(value)),
  )?.[0];
}

/** What kind of secret the value of a setting is; undefined for others. `name` tells identifiers from Consul's tokens. */
export function kindOfSecret(name: string, value: string): string | undefined {
  if (value === "" || isReference(value)) return undefined;
  const kind = looksLikeSecret(value);
  if (kind !== undefined) return kind;
  if (namesSecret(name)) return "a secret, by its name";
  return UUID.test(value) && !/(?:id|accessor)$/i.test(name) ? "a token" : undefined;
}

/** What kind of secret a text has in it: it may be JSON, which is looked through. */
export function secretWithin(name: string, value: string): string | undefined {
  return (
    kindOfSecret(name, value) ??
    entries(value)
      .map(([key, item]) => kindOfSecret(key, item))
      .find((kind) => kind !== undefined)
  );
}

/** A path, a variable or a switch says nothing of a secret. */
function isReference(value: string): boolean {
  return /^(?:\.{0,2}\/|\$|%|true$|false$|\d+$)/.test(value);
}

/** The texts in a JSON text, by their keys. */
function entries(value: string): [string, string][] {
  if (!/^\s*[{[]/.test(value)) return [];
  const found: [string, string][] = [];
  try {
    JSON.parse(value, (key, item: unknown) => {
      if (typeof item === "string") found.push([key, item]);
      return item;
    });
  } catch {
    // No JSON, so nothing to look through.
  }
  return found;
}
