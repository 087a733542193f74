/** What came of a question: a value, or in one line why there is none. */
export type Answer<T> = { readonly value: T } | { readonly failure: string };

/** Never rejects: what is broken is what is looked for. */
export async function answer<T>(asked: Promise<T>): Promise<Answer<T>> {
  try {
    return { value: await asked };
  } catch (error) {
    return { failure: error instanceof Error ? error.message : String(error) };
  }
}

/** The value, undefined where there is none. */
export function valueOf<T>(given: Answer<T>): T | undefined {
  return "value" in given ? given.value : undefined;
}
