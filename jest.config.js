export default {
  testEnvironment: '<rootDir>/test/environment.js',
  extensionsToTreatAsEsm: ['.ts'],
  testMatch: ['<rootDir>/test/**/*.test.ts'],
  // Thousands of files that no test imports, and packages of names of their own.
  modulePathIgnorePatterns: ['<rootDir>/fixtures/.cache', '<rootDir>/dist', '<rootDir>/out'],
  transform: {
    '\\.ts$': ['@swc/jest', { jsc: { target: 'es2022', parser: { syntax: 'typescript' } }, module: { type: 'es6' } }],
  },
  snapshotFormat: { escapeString: false, printBasicPrototype: false },
};
