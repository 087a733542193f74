/** A word for a shell that stays one word, whatever is in it: names in the catalog are anybody's. */
export function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
