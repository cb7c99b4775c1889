import eslint from '@eslint/js';
import tseslint from 'typescript-eslint';

/** Forbids imports by their path; `why` is what the reader of the error is told. */
const forbid = (files, regex, why, ignores = []) => ({
  files,
  ignores,
  rules: { 'no-restricted-imports': ['error', { patterns: [{ regex, message: why }] }] },
});

/**
 * A query inside a transaction that runs on the database of before waits for another connection, which may never come.
 * So inside, `db` and `visit` are those of the transaction: they take the names of the outer ones.
 */
const shadowDatabase = {
  create(context) {
    const { scopeManager } = context.sourceCode;
    const isInside = (scope, outermost) => scope !== null && (scope === outermost || isInside(scope.upper, outermost));
    const referencesIn = (scope) => [...scope.references, ...scope.childScopes.flatMap(referencesIn)];
    return {
      ':matches(CallExpression[callee.name=/^(inTransaction|transaction)$/], CallExpression[callee.property.name="transaction"])'(
        node,
      ) {
        const scope = scopeManager.acquire(node.arguments.at(-1));
        for (const { identifier, resolved } of scope === null ? [] : referencesIn(scope)) {
          if (!['db', 'visit', 'app'].includes(identifier.name) || isInside(resolved?.scope ?? null, scope)) continue;
          const message = `Inside a transaction, ${identifier.name} has to be that of the transaction: take it as a parameter.`;
          context.report({ node: identifier, message });
        }
      },
    };
  },
};

export default tseslint.config(
  {
    ignores: [
      'dist/',
      'node_modules/',
      '.tap/',
      '*.mjs',
      'drizzle.config.ts',
      'clients/check/*/',
      'plugins/docs/**/*.js',
      'clients/typescript/',
    ],
  },
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
    files: ['db/**', 'plugins/**', 'src/**'],
    plugins: { house: { rules: { 'shadow-database': shadowDatabase } } },
    rules: { 'house/shadow-database': 'error' },
  },
  { files: ['plugins/**', 'src/**'], rules: { 'max-params': ['error', 4] } },
  {
    files: [
      'src/server.ts',
      'src/cluster.ts',
      'src/admin.ts',
      'src/audit-verify.ts',
      'src/purge.ts',
      'src/move-to.ts',
      'src/upgrade-database.ts',
      'src/migrate.ts',
      'src/demo.ts',
      'test/**',
      'bench/**',
      'clients/**',
      'db/embedded/**',
    ],
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
    ['src/resources/**', 'src/scheduling/**', 'src/lib/**'],
    '/(plugins|test|bench)/|^(fastify|fastify-plugin|@fastify/.*)$|/resources/[^/]+/index|^\\.\\./[^/.]+/index',
    'Resources know no plugin and nothing of HTTP, and of each other only the service.',
    // Where the types of the visit and of `serve` come from.
    ['src/resources/index.ts', 'src/lib/visit.ts', 'src/lib/resource.ts'],
  ),
  forbid(['src/*.ts'], '/(test|bench)/', 'Nothing imports the tests and the bench.'),
  {
    files: ['db/**', 'plugins/**', 'src/**'],
    rules: {
      'no-restricted-syntax': [
        'error',
        {
          selector: 'VariableDeclarator[id.type=ArrayPattern][id.elements.length=1][init.type=AwaitExpression]',
          message: 'Read a row by `one` or `oneOrNone` of db/rows.ts, which tell "none" from an answer that is broken.',
        },
      ],
    },
  },
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
