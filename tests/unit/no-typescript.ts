// Pulumi loads the TypeScript compiler to serialize closures, which this program has none of: a second a test file.
export {};
