import eslint from '@eslint/js';
import tseslint from 'typescript-eslint';

/** Forbids imports by their path; `why` is what the reader of the error is told. */
const forbid = (files, regex, why, ignores = []) => ({
  files,
  ignores,
  rules: { 'no-restricted-imports': ['error', { patterns: [{ regex, message: why }] }] },
});

export default tseslint.config(
  { ignores: ['dist/', 'node_modules/', '.tap/', '*.mjs', 'drizzle.config.ts'] },
  eslint.configs.recommended,
  tseslint.configs.recommendedTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/require-await': 'off',
      // Our objects are closures; none of their methods has a use for `this`.
      '@typescript-eslint/unbound-method': 'off',
      '@typescript-eslint/no-empty-object-type': ['error', { allowInterfaces: 'with-single-extends' }],
      'no-restricted-properties': [
        'error',
        { object: 'process', property: 'env', message: 'src/config.ts is the only reader of the environment.' },
      ],
      'no-console': 'error',
    },
  },
  {
    files: ['src/server.ts', 'src/admin.ts', 'src/demo.ts', 'test/**', 'bench/**', 'db/embedded.ts'],
    rules: { 'no-restricted-properties': 'off' },
  },
  {
    // Tests look into answers, which the helper has held against the contract already.
    files: ['test/**'],
    rules: {
      // tap waits for its subtests by itself.
      '@typescript-eslint/no-floating-promises': [
        'error',
        { allowForKnownSafePromises: [{ from: 'package', package: '@tapjs/core', name: 'PromiseWithSubtest' }] },
      ],
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
    },
  },
  // The rooms of the house, and which doors are open.
  forbid(['openapi/generated/**'], '^(?!@sinclair/typebox$|\\./)', 'openapi/generated may import TypeBox alone.'),
  forbid(['db/**'], '/(plugins|src|openapi|test|bench)/|^(fastify|@fastify/)', 'db knows tables and no HTTP.'),
  forbid(['plugins/**'], '/(src|test|bench)/', 'plugins know no resource; their options come from src/app.ts.'),
  forbid(
    ['src/resources/**', 'src/lib/**'],
    '/(plugins|test|bench)/|^(fastify-plugin|@fastify/)|/resources/[^/]+/index|^\\.\\./[^/.]+/index',
    'Resources know no plugin, and of each other only the service.',
    ['src/resources/index.ts'],
  ),
  forbid(['src/*.ts'], '/(test|bench)/', 'Nothing imports the tests and the bench.'),
  {
    files: ['db/**', 'plugins/**', 'src/**', 'bench/**'],
    ignores: ['db/driver.ts'],
    rules: {
      '@typescript-eslint/no-restricted-imports': [
        'error',
        { name: 'postgres', allowTypeImports: true, message: 'db/driver.ts is the one door to the driver.' },
      ],
    },
  },
);
