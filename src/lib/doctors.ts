import { and, eq, isNull, or, sql, type Placeholder, type SQL } from 'drizzle-orm';
import { doctors } from '../../db/tables/index.js';

/** Whether somebody may know of a doctor: one whom staff have yet to approve is there for staff and the doctor alone. */
export function isShownTo(caller: { readonly id: number | Placeholder; readonly isStaff: boolean } | null): SQL {
  const isApproved = sql`${doctors.isApproved}`;
  const isOwn = caller === null ? undefined : eq(doctors.userId, caller.id);
  return and(isNull(doctors.archivedAt), caller?.isStaff === true ? undefined : or(isApproved, isOwn)) as SQL;
}
