/** How a patient without an account comes to have one. */
import { and, eq, gt, isNull, sql } from 'drizzle-orm';
import { one, oneOrNone } from '../../../db/rows.js';
import { patientInvitations, patients } from '../../../db/tables/index.js';
import type { Invitation } from '../../../openapi/generated/schemas.js';
import type { Input } from '../../../openapi/operation.js';
import { ProblemError } from '../../../openapi/problem-error.js';
import { InvalidInput, NotFound } from '../../lib/errors.js';
import { hashToken, newToken } from '../../lib/tokens.js';
import { inTransaction, type PersonVisit, type Within } from '../../lib/visit.js';

const LIFETIME = sql`interval '7 days'`;

class HasAccount extends ProblemError {
  constructor() {
    super('already-exists', 'The patient has an account already.');
  }
}

/**
 * Makes the invitation by which a patient can make an account; it ends the one before.
 * @throws HasAccount
 */
export function createInvitation(
  visit: PersonVisit,
  { params: { id: patientId } }: Input<'createInvitation'>,
): Promise<Invitation> {
  return inTransaction(visit, async ({ db, caller }) => {
    const patient = oneOrNone(
      await db
        .select({ userId: patients.userId })
        .from(patients)
        .where(and(eq(patients.id, patientId), isNull(patients.archivedAt)))
        .for('no key update'),
    );
    if (patient === undefined) throw new NotFound();
    if (patient.userId !== null) throw new HasAccount();
    const token = newToken();
    const row = { tokenHash: hashToken(token), createdBy: caller.id, expiresAt: sql`now() + ${LIFETIME}` };
    const { expiresAt } = one(
      await db
        .insert(patientInvitations)
        .values({ patientId, ...row })
        .onConflictDoUpdate({ target: patientInvitations.patientId, set: { ...row, createdAt: sql`now()` } })
        .returning({ expiresAt: patientInvitations.expiresAt }),
    );
    return { token, expires_at: expiresAt.toISOString() };
  });
}

/** What a patient record knows of the person whom it waits for. */
export interface Invited {
  readonly patientId: number;
  readonly firstName: string;
  readonly lastName: string;
  readonly dateOfBirth: string | null;
}

/**
 * Uses an invitation up. The patient is locked before it, as where one is made.
 * @throws InvalidInput alike for one that never was, was used, has expired or been replaced, or whose patient is archived
 */
export async function takeInvitation({ db }: Pick<Within, 'db'>, token: string): Promise<Invited> {
  const isIt = and(eq(patientInvitations.tokenHash, hashToken(token)), gt(patientInvitations.expiresAt, sql`now()`));
  const rows = await db
    .select({
      patientId: patients.id,
      firstName: sql<string>`${patients.firstName}`,
      lastName: sql<string>`${patients.lastName}`,
      dateOfBirth: patients.dateOfBirth,
    })
    .from(patients)
    .innerJoin(patientInvitations, eq(patientInvitations.patientId, patients.id))
    .where(and(isIt, isNull(patients.archivedAt), isNull(patients.userId)))
    .for('no key update', { of: patients });
  const invited = oneOrNone(rows);
  const used = await db.delete(patientInvitations).where(isIt).returning({ patientId: patientInvitations.patientId });
  if (invited === undefined || used.length === 0) {
    throw new InvalidInput({ invitation: ['is not valid: it was used or replaced, or has expired'] });
  }
  return invited;
}

/** Makes the record that of an account, to which who the patient is now belongs. */
export async function tieToAccount({ db }: Pick<Within, 'db'>, patientId: number, userId: number): Promise<void> {
  // That of a managed patient may be the manager's, who has it in a record already.
  const hasOther = sql`exists (select from ${patients} as others where others.phone_digits = ${patients.phoneDigits}
    and others.id <> ${patients.id} and others.archived_at is null and others.managed_by is null)`;
  await db
    .update(patients)
    .set({
      ...{ firstName: null, lastName: null, email: null, dateOfBirth: null, managedBy: null },
      userId,
      phone: sql`case when ${hasOther} then null else ${patients.phone} end`,
    })
    .where(eq(patients.id, patientId));
}
