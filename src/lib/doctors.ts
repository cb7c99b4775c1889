import { and, eq, isNull, or, sql, type SQL } from 'drizzle-orm';
import { doctors } from '../../db/tables/index.js';
import type { SomeCaller } from './visit.js';

/** Whether somebody may know of a doctor: one whom staff have yet to approve is there for staff and the doctor alone. */
export function isShownTo(caller: SomeCaller | null): SQL {
  const isLive = isNull(doctors.archivedAt);
  if (caller?.isStaff === true) return isLive;
  const isOwn = caller === null ? undefined : eq(doctors.userId, caller.id);
  return and(isLive, or(sql`${doctors.isApproved}`, isOwn)) as SQL;
}
