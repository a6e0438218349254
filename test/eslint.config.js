import js from '@eslint/js';
import { defineConfig } from 'eslint/config';
import ts from 'typescript-eslint';

export default defineConfig(
  { ignores: ['dist/', 'serving/dist/', 'serving/out/', 'coverage/', 'node_modules/', 'out/', '**/.cache/'] },
  js.configs.recommended,
  {
    files: ['runtimes/js/*.js'],
    languageOptions: {
      globals: Object.fromEntries(
        [
          'WebAssembly',
          'TextDecoder',
          'TextEncoder',
          'URL',
          'atob',
          'fetch',
          'document',
          'performance',
          'setTimeout',
          'createImageBitmap',
          'MODEL',
          'Worker',
          'clearTimeout',
          'console',
        ].map(g => [g, 'readonly']),
      ),
    },
  },
  {
    files: ['fixtures/*.js', 'test/**/*.mjs', 'bench/peers/*.js'],
    languageOptions: {
      globals: Object.fromEntries(
        ['process', 'console', 'URL', 'performance', 'setTimeout', 'structuredClone', 'globalThis'].map(g => [g, 'readonly']),
      ),
    },
  },
  {
    files: ['serving/export/templates/*'],
    languageOptions: {
      globals: Object.fromEntries(['Buffer', 'Response', 'URL', 'console'].map(g => [g, 'readonly'])),
    },
  },
  {
    files: ['**/*.ts'],
    extends: [ts.configs.strictTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: `${import.meta.dirname}/..` } },
    rules: {
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: false }],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
    },
  },
);
