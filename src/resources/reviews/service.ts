import { and, asc, count, eq, inArray, isNull, sql } from 'drizzle-orm';
import { alias, union } from 'drizzle-orm/pg-core';
import { transaction, type Db, type Tx } from '../../../db/client.js';
import { column, jsonObject, JsonText } from '../../../db/json.js';
import { directByKey } from '../../../db/prepared.js';
import { doctors, patients, reviews, users } from '../../../db/tables/index.js';
import type { Rating, Review, ReviewInput, ReviewPage, ReviewPatch } from '../../../openapi/generated/schemas.js';
import { InvalidInput, NoPatientRecord, NotAllowed, NotFound } from '../../lib/errors.js';
import { answerPage, cutPage, type Link, type PageQuery } from '../../lib/pages.js';
import { checkIfMatch } from '../../lib/preconditions.js';
import { searchPatterns } from '../../lib/search.js';

interface Caller {
  readonly id: number;
  readonly isStaff: boolean;
}

export interface ReviewQuery extends PageQuery {
  readonly doctor?: number;
  readonly reviwer?: number;
  readonly rating?: Rating;
  readonly search?: string;
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
function selectReviews(db: Db | Tx) {
  return db
    .select({ item: sql<string>`${reviewJson}::text`.as('item') })
    .from(reviews)
    .innerJoin(doctors, eq(doctors.id, reviews.doctorId))
    .innerJoin(doctorUsers, eq(doctorUsers.id, doctors.userId))
    .innerJoin(patients, eq(patients.id, reviews.patientId))
    .innerJoin(reviewers, eq(reviewers.id, patients.userId));
}

const reviewById = directByKey((db) => selectReviews(db).where(eq(reviews.id, sql.placeholder('id'))));

export async function getReview(db: Db | Tx, id: number): Promise<JsonText<Review>> {
  const [row] = await reviewById(db)({ id });
  if (row === undefined) throw new NotFound();
  return new JsonText(row.item);
}

/** The reviews in which the doctor's or the reviewer's name has the word; two queries, as each has its own index. */
function named(db: Db, pattern: string) {
  return union(
    db
      .select({ id: reviews.id })
      .from(reviews)
      .innerJoin(doctors, eq(doctors.id, reviews.doctorId))
      .innerJoin(users, eq(users.id, doctors.userId))
      .where(sql`lower(${users.displayName}) like ${pattern}`),
    db
      .select({ id: reviews.id })
      .from(reviews)
      .innerJoin(patients, eq(patients.id, reviews.patientId))
      .innerJoin(users, eq(users.id, patients.userId))
      .where(sql`lower(${users.shortName}) like ${pattern}`),
  );
}

export function listReviews(db: Db, query: ReviewQuery, link: Link): Promise<JsonText<ReviewPage>> {
  const where = and(
    query.doctor === undefined ? undefined : eq(reviews.doctorId, query.doctor),
    query.reviwer === undefined ? undefined : eq(reviews.patientId, query.reviwer),
    query.rating === undefined ? undefined : eq(reviews.rating, ratingOf(query.rating)),
    ...searchPatterns(query.search).map((pattern) => inArray(reviews.id, named(db, pattern))),
  );
  const page = db.select({ id: reviews.id }).from(reviews).where(where).orderBy(asc(reviews.id)).$dynamic();
  return answerPage<Review>(
    db,
    selectReviews(db)
      .where(inArray(reviews.id, cutPage(page, query)))
      .orderBy(asc(reviews.id))
      .$dynamic(),
    sql`(${db.select({ count: count() }).from(reviews).where(where)})`,
    query,
    link,
  );
}

/** @throws InvalidInput where there is no such doctor */
async function checkDoctor(tx: Tx, id: number): Promise<void> {
  const [doctor] = await tx
    .select({ id: doctors.id })
    .from(doctors)
    .where(and(eq(doctors.id, id), isNull(doctors.archivedAt)));
  if (doctor === undefined) throw new InvalidInput({ doctor: ['has an unknown id'] });
}

/** Writes a review as the caller's patient record. */
export function createReview(db: Db | Tx, input: ReviewInput, caller: Caller): Promise<JsonText<Review>> {
  return transaction(db, async (tx) => {
    const [patient] = await tx
      .select({ id: patients.id })
      .from(patients)
      .where(and(eq(patients.userId, caller.id), isNull(patients.archivedAt)));
    if (patient === undefined) throw new NoPatientRecord();
    await checkDoctor(tx, input.doctor);
    const [row] = await tx
      .insert(reviews)
      .values({ doctorId: input.doctor, patientId: patient.id, body: input.body, rating: ratingOf(input.rating) })
      .returning({ id: reviews.id });
    return getReview(tx, (row as { id: number }).id);
  });
}

/** Locks a review. Returns whether the caller is its author: the user, whichever patient record it was written as. */
async function lockReview(tx: Tx, id: number, caller: Caller): Promise<boolean> {
  const [row] = await tx
    .select({ authorId: patients.userId })
    .from(reviews)
    .innerJoin(patients, eq(patients.id, reviews.patientId))
    .where(eq(reviews.id, id))
    .for('update', { of: reviews });
  if (row === undefined) throw new NotFound();
  return row.authorId === caller.id;
}

/** Changes what is given. */
export function updateReview(
  db: Db,
  id: number,
  input: ReviewPatch,
  caller: Caller,
  ifMatch?: string,
): Promise<JsonText<Review>> {
  return transaction(db, async (tx) => {
    if (!(await lockReview(tx, id, caller))) throw new NotAllowed('Only the author may do this.');
    await checkIfMatch(ifMatch, () => getReview(tx, id));
    if (input.doctor !== undefined) await checkDoctor(tx, input.doctor);
    await tx
      .update(reviews)
      .set({
        updatedAt: new Date(),
        ...(input.doctor !== undefined && { doctorId: input.doctor }),
        ...(input.body !== undefined && { body: input.body }),
        ...(input.rating !== undefined && { rating: ratingOf(input.rating) }),
      })
      .where(eq(reviews.id, id));
    return getReview(tx, id);
  });
}

export function replaceReview(
  db: Db,
  id: number,
  input: ReviewInput,
  caller: Caller,
  ifMatch?: string,
): Promise<JsonText<Review>> {
  return updateReview(db, id, input, caller, ifMatch);
}

export async function deleteReview(db: Db, id: number, caller: Caller, ifMatch?: string): Promise<void> {
  await transaction(db, async (tx) => {
    const isAuthor = await lockReview(tx, id, caller);
    if (!isAuthor && !caller.isStaff) throw new NotAllowed('Only the author and staff may do this.');
    await checkIfMatch(ifMatch, () => getReview(tx, id));
    await tx.delete(reviews).where(eq(reviews.id, id));
  });
}
