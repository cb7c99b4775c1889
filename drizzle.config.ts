import { defineConfig } from 'drizzle-kit';

export default defineConfig({
  dialect: 'postgresql',
  casing: 'snake_case',
  schema: './dist/db/tables/index.js',
  out: './db/migrations',
});
