// Pulumi loads the TypeScript compiler and npm's own library to serialize closures, which this program has none of: a
// second a test file.
export {};
