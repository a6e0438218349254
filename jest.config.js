export default {
  testEnvironment: '<rootDir>/test/environment.js',
  extensionsToTreatAsEsm: ['.ts'],
  testMatch: ['<rootDir>/test/**/*.test.ts'],
  // Thousands of files that no test imports, and packages of names of their own.
  modulePathIgnorePatterns: ['<rootDir>/fixtures/.cache', '<rootDir>/dist', '<rootDir>/out'],
  moduleNameMapper: { '^binaryen$': '<rootDir>/test/binaryen.js' },
  // Many tests wait for compilers and other processes.
  maxWorkers: '100%',
  transform: {
    '\\.ts$': ['@swc/jest', { jsc: { target: 'es2022', parser: { syntax: 'typescript' } }, module: { type: 'es6' } }],
  },
  snapshotFormat: { escapeString: false, printBasicPrototype: false },
};
