import { pgTable, varchar } from 'drizzle-orm/pg-core';
import { createdAt, id, updatedAt, version } from './columns.js';

export const services = pgTable('services', {
  id: id(),
  picture: varchar({ length: 60 }),
  name: varchar({ length: 50 }).notNull(),
  description: varchar({ length: 5000 }).notNull(),
  createdAt: createdAt(),
  updatedAt: updatedAt(),
  version: version(),
});
