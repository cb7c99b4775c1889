import { and, eq, isNull, or, sql, type SQL } from 'drizzle-orm';
import { alias } from 'drizzle-orm/pg-core';
import type { Db, Tx } from '../../../db/client.js';
import { column, jsonObject, JsonText, versionTag } from '../../../db/json.js';
import { directByKey } from '../../../db/prepared.js';
import { one, oneOrNone } from '../../../db/rows.js';
import { appointments, doctors, patients, reviewCounts, reviews, users } from '../../../db/tables/index.js';
import type { ListReviewsQuery } from '../../../openapi/generated/operations.js';
import type { Rating, Review, ReviewPage } from '../../../openapi/generated/schemas.js';
import type { Input } from '../../../openapi/operation.js';
import { isShownTo } from '../../lib/doctors.js';
import { AlreadyFilled, InvalidInput, NoPatientRecord, NotAllowed, NotFound } from '../../lib/errors.js';
import { pagesOf } from '../../lib/lists.js';
import { doctorsNamed, isAmong, isOfAny } from '../../lib/names.js';
import { itemOf } from '../../lib/pages.js';
import { nothingElse } from '../../lib/patches.js';
import { checkConditions } from '../../lib/preconditions.js';
import { byLongest, containing, isLike, searchTerms } from '../../lib/search.js';
import { inTransaction, isUser, type PersonVisit, type UserVisit, type Visit, type Within } from '../../lib/visit.js';
import { isLive } from '../../scheduling/slots.js';

declare module 'fastify' {
  interface Visit {
    readonly reviewsFrom: 'anyone' | 'patients';
  }
}

/** The database counts the stars. */
const ratingOf = (stars: Rating): number => [...stars].length;

const doctorUsers = alias(users, 'doctor_users');
const reviewers = alias(users, 'reviewers');

const reviewJson = jsonObject<Review>({
  id: column(reviews.id),
  reviewer: column(reviewers.shortName),
  doctor_name: column(doctorUsers.displayName),
  body: column(reviews.body),
  created_on: column(reviews.createdOn),
  rating: sql<Rating>`repeat('⭐', ${reviews.rating})`,
});

/** Reviews as JSON text, with the users behind doctor and patient, whose records may be archived by now. */
const selectReviews = (db: Db | Tx) =>
  db
    .select({
      ...itemOf(reviewJson),
      tag: versionTag(reviews.id, reviews.version, doctorUsers.version, reviewers.version).as('tag'),
    })
    .from(reviews)
    .innerJoin(doctors, eq(doctors.id, reviews.doctorId))
    .innerJoin(doctorUsers, eq(doctorUsers.id, doctors.userId))
    .innerJoin(patients, eq(patients.id, reviews.patientId))
    .innerJoin(reviewers, eq(reviewers.id, patients.userId))
    .$dynamic();

const reviewById = directByKey((db) => selectReviews(db).where(eq(reviews.id, sql.placeholder('id'))));

export async function getReview(
  { db }: Visit,
  { params: { id } }: Pick<Input<'getReview'>, 'params'>,
): Promise<JsonText<Review>> {
  const row = oneOrNone(await reviewById(db)({ id }));
  if (row === undefined) throw new NotFound();
  return new JsonText(row.item, row.tag);
}

/** The ids of the patients by whose name, as the public sees it, a reviewer is found. */
const reviewersNamed = (pattern: SQL): SQL => sql`
  (select ${patients.id} from ${users} join ${patients} on ${patients.userId} = ${users.id}
    where ${isLike(users.foldedShortName, pattern)})`;

/** What is asked for, as the database has it. */
type Asked = Omit<ListReviewsQuery, 'rating' | 'search'> & {
  readonly rating: number | undefined;
  readonly longest: string | undefined;
  readonly others: readonly string[] | undefined;
};

const reviewPages = pagesOf<Asked, Review>({
  table: reviews,
  filters: {
    doctor: (id) => eq(reviews.doctorId, id),
    reviwer: (id) => eq(reviews.patientId, id),
    rating: (stars) => eq(reviews.rating, stars),
    longest: (pattern) => isOfAny(reviews, reviewersNamed(pattern), doctorsNamed(pattern)),
    others: (patterns) =>
      and(...patterns.map((pattern) => isAmong(reviews, reviewersNamed(pattern), doctorsNamed(pattern)))),
  },
  once: { longest: 'found', others: 'judged' },
  searches: ['longest', 'others'],
  counted: ({ rating, ...others }: { readonly rating?: SQL }) =>
    Object.keys(others).length > 0
      ? undefined
      : sql`(select coalesce(sum(${reviewCounts.total}), 0) from ${reviewCounts}
          where ${rating ? eq(reviewCounts.rating, rating) : sql`true`})`,
  rows: selectReviews,
});

export async function listReviews(visit: Visit, { query }: Input<'listReviews'>): Promise<JsonText<ReviewPage>> {
  const { longest, others } = byLongest(await searchTerms(visit.db, query.search));
  return reviewPages(visit, {
    ...query,
    rating: query.rating && ratingOf(query.rating),
    longest: longest && containing(longest),
    others: others?.map(containing),
  });
}

/** @throws InvalidInput where there is no such doctor, or it is the caller */
async function checkDoctor({ db, caller }: Within<PersonVisit>, id: number): Promise<void> {
  const doctor = oneOrNone(
    await db
      .select({ userId: doctors.userId })
      .from(doctors)
      .where(and(eq(doctors.id, id), isShownTo(caller))),
  );
  if (doctor === undefined) throw new InvalidInput({ doctor: ['has an unknown id'] });
  if (doctor.userId === caller.id) throw new InvalidInput({ doctor: ['must be somebody else'] });
}

/** Of a user: the own records, those of before included, and of those that the user manages. */
const isOfUser = (id: number): SQL => or(eq(patients.userId, id), eq(patients.managedBy, id)) as SQL;

/**
 * Holds a review of the caller's to the clinic's rule, where it has one: it comes after a visit, and there is one of each
 * doctor.
 * @throws NotAllowed, AlreadyFilled
 */
async function checkReviewer(
  { db, caller, link, reviewsFrom }: Within<PersonVisit>,
  { doctorId, ownId = 0 }: { doctorId: number; ownId?: number },
): Promise<void> {
  if (reviewsFrom === 'anyone') return;
  // Of two reviews at once the second sees the first.
  await db.select({ id: users.id }).from(users).where(eq(users.id, caller.id)).for('no key update');
  const { isSeen, first } = one(
    await db.execute<{ isSeen: boolean; first: number | null }>(sql`
      select exists (select from ${appointments} join ${patients} on ${patients.id} = ${appointments.patientId}
          where ${isOfUser(caller.id)} and ${eq(appointments.doctorId, doctorId)} and ${isLive}
            and ${appointments.status} = 'completed') as "isSeen",
        (select min(${reviews.id})::float8 from ${reviews} join ${patients} on ${patients.id} = ${reviews.patientId}
          where ${eq(patients.userId, caller.id)} and ${eq(reviews.doctorId, doctorId)} and ${reviews.id} <> ${ownId}) as first`),
  );
  if (!isSeen) throw new NotAllowed('Only patients whom the doctor has seen may write a review.');
  if (first !== null) throw new AlreadyFilled('review of this doctor', `${link.base}/reviews/${first}/`);
}

/** Writes a review as the caller's patient record. */
export function createReview(visit: PersonVisit, { body }: Input<'createReview'>): Promise<JsonText<Review>> {
  const { doctor: doctorId, body: text, rating, ...rest } = body;
  nothingElse(rest);
  return inTransaction(visit, async (visit) => {
    const { db, caller } = visit;
    const patient = oneOrNone(
      await db
        .select({ id: patients.id })
        .from(patients)
        .where(and(eq(patients.userId, caller.id), isNull(patients.archivedAt)))
        // Until it is written the record is neither deleted nor erased.
        .for('share'),
    );
    if (patient === undefined) throw new NoPatientRecord();
    await checkDoctor(visit, doctorId);
    await checkReviewer(visit, { doctorId });
    const { id } = one(
      await db
        .insert(reviews)
        .values({ doctorId, patientId: patient.id, body: text, rating: ratingOf(rating) })
        .returning({ id: reviews.id }),
    );
    return getReview(visit, { params: { id } });
  });
}

/** Locks a review. Returns whether the caller is its author: the user, whichever patient record it was written as. */
async function lockReview({ db, caller }: Within<UserVisit>, id: number): Promise<boolean> {
  const row = oneOrNone(
    await db
      .select({ authorId: patients.userId })
      .from(reviews)
      .innerJoin(patients, eq(patients.id, reviews.patientId))
      .where(eq(reviews.id, id))
      .for('update', { of: reviews }),
  );
  if (row === undefined) throw new NotFound();
  return isUser(caller, row.authorId);
}

/** Changes what is given. */
export function updateReview(visit: PersonVisit, { params, body }: Input<'updateReview'>): Promise<JsonText<Review>> {
  const { doctor: doctorId, body: text, rating, ...rest } = body;
  nothingElse(rest);
  return inTransaction(visit, async (visit) => {
    if (!(await lockReview(visit, params.id))) throw new NotAllowed('Only the author may do this.');
    checkConditions(visit, (await getReview(visit, { params })).tag);
    if (doctorId !== undefined) {
      await checkDoctor(visit, doctorId);
      await checkReviewer(visit, { doctorId, ownId: params.id });
    }
    await visit.db
      .update(reviews)
      .set({ updatedAt: new Date(), doctorId, body: text, rating: rating && ratingOf(rating) })
      .where(eq(reviews.id, params.id));
    return getReview(visit, { params });
  });
}

export async function deleteReview(visit: UserVisit, { params }: Input<'deleteReview'>): Promise<void> {
  await inTransaction(visit, async (visit) => {
    const isAuthor = await lockReview(visit, params.id);
    if (!isAuthor && !visit.caller.isStaff) throw new NotAllowed('Only the author and staff may do this.');
    checkConditions(visit, (await getReview(visit, { params })).tag);
    await visit.db.delete(reviews).where(eq(reviews.id, params.id));
  });
}
