import { sql, type SQL } from 'drizzle-orm';
import type { PgColumn } from 'drizzle-orm/pg-core';
import { patients, users } from '../../db/tables/index.js';

/**
 * A patient's name: that of the account, else the record's own.
 * @param account the users, joined to the left by the patient's `userId`; of a name of its own where doctors' are too
 */
export const patientName = (account: { readonly displayName: PgColumn } = users): SQL<string> =>
  sql<string>`coalesce(${account.displayName}, btrim(${patients.firstName} || ' ' || ${patients.lastName}))`;
