const shared = {
  transform: {
    "\\.[tj]s$": [
      "@swc/jest",
      { jsc: { target: "es2023", parser: { syntax: "typescript" } }, module: { type: "commonjs" } },
    ],
  },
  // An ES module alone, which jest does not load as it is on Node.js 22.
  transformIgnorePatterns: ["/node_modules/(?!cockatiel/)"],
  modulePathIgnorePatterns: ["<rootDir>/.build", "<rootDir>/.pulumi-local", "<rootDir>/toolchain"],
};

export default {
  // A machine that does other things as well is slow, which is no fault of what is tested.
  testTimeout: 30_000,
  projects: [
    {
      ...shared,
      displayName: "unit",
      moduleNameMapper: {
        "(/typescript-shim|^@npmcli/arborist)$": "<rootDir>/tests/unit/no-typescript.ts",
        // An import() needs the name that the file would have as JavaScript.
        "^\\./tracing-export\\.js$": "./tracing-export",
      },
      testMatch: ["<rootDir>/tests/unit/**/*.test.ts", "<rootDir>/services/**/*.test.ts"],
    },
    { ...shared, displayName: "integration", testMatch: ["<rootDir>/tests/integration/**/*.test.ts"] },
    { ...shared, displayName: "faults", testMatch: ["<rootDir>/tests/faults/**/*.test.ts"] },
    { ...shared, displayName: "workflows", testMatch: ["<rootDir>/tests/workflows/**/*.test.ts"] },
    { ...shared, displayName: "hosts", testMatch: ["<rootDir>/tests/hosts/**/*.test.ts"] },
  ],
};
