import { and, asc, desc, eq, inArray, sql, type SQL } from 'drizzle-orm';
import { column, jsonObject, JsonText } from '../../../db/json.js';
import { contacts } from '../../../db/tables/index.js';
import type { Contact, ContactList } from '../../../openapi/generated/schemas.js';
import type { Input } from '../../../openapi/operation.js';
import { NotFound } from '../../lib/errors.js';
import { selectList } from '../../lib/lists.js';
import { nothingElse } from '../../lib/patches.js';
import type { Caller, UserVisit, Visit } from '../../lib/visit.js';

/** The most contact requests that the list gives: the newest. */
const MAX_CONTACTS = 10_000;

const contactJson = jsonObject<Contact>({
  id: column(contacts.id),
  name: column(contacts.name),
  phone: column(contacts.phone),
  massage: column(contacts.message),
});

const contactText = { contact: sql<string>`${contactJson}::text` };

/** @throws NotFound where there is no row */
function one([row]: { contact: string }[]): JsonText<Contact> {
  if (row === undefined) throw new NotFound();
  return new JsonText(row.contact);
}

/** What the caller may see and change: for staff all, for others what they sent signed in. */
function visibleTo(caller: Caller): SQL | undefined {
  return caller.isStaff ? undefined : eq(contacts.userId, caller.id);
}

/** The newest that the caller may see, in the order of id. */
export function listContacts(visit: UserVisit): Promise<JsonText<ContactList>> {
  const { db, caller } = visit;
  const newest = db
    .select({ id: contacts.id })
    .from(contacts)
    .where(visibleTo(caller))
    .orderBy(desc(contacts.id))
    .limit(MAX_CONTACTS);
  return selectList(visit, contactJson, (columns) =>
    db.select(columns).from(contacts).where(inArray(contacts.id, newest)).orderBy(asc(contacts.id)).$dynamic(),
  );
}

export async function getContact(
  { db, caller }: UserVisit,
  { params: { id } }: Input<'getContact'>,
): Promise<JsonText<Contact>> {
  return one(
    await db
      .select(contactText)
      .from(contacts)
      .where(and(eq(contacts.id, id), visibleTo(caller))),
  );
}

/** Stores a request of anyone, with who sent it where they are signed in. */
export async function createContact(
  { db, caller }: Visit,
  { body }: Input<'createContact'>,
): Promise<JsonText<Contact>> {
  const { name, phone, massage: message, ...rest } = body;
  nothingElse(rest);
  return one(
    await db
      .insert(contacts)
      .values({ userId: caller?.id ?? null, name, phone, message })
      .returning(contactText),
  );
}

/** Changes what is given. */
export async function updateContact(
  { db, caller }: UserVisit,
  { params: { id }, body }: Input<'updateContact'>,
): Promise<JsonText<Contact>> {
  const { name, phone, massage: message, ...rest } = body;
  nothingElse(rest);
  return one(
    await db
      .update(contacts)
      .set({ updatedAt: new Date(), name, phone, message })
      .where(and(eq(contacts.id, id), visibleTo(caller)))
      .returning(contactText),
  );
}

export async function deleteContact(
  { db, caller }: UserVisit,
  { params: { id } }: Input<'deleteContact'>,
): Promise<void> {
  const rows = await db
    .delete(contacts)
    .where(and(eq(contacts.id, id), visibleTo(caller)))
    .returning({ id: contacts.id });
  if (rows.length === 0) throw new NotFound();
}
