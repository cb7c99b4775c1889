import { and, asc, desc, eq, inArray, sql, type SQL } from 'drizzle-orm';
import type { Db, Tx } from '../../../db/client.js';
import { column, jsonObject, JsonText } from '../../../db/json.js';
import { contacts } from '../../../db/tables/index.js';
import type { Contact, ContactInput, ContactList, ContactPatch } from '../../../openapi/generated/schemas.js';
import { NotFound } from '../../lib/errors.js';
import { selectList } from '../../lib/lists.js';

interface Caller {
  readonly id: number;
  readonly isStaff: boolean;
}

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
export function listContacts(db: Db, caller: Caller): Promise<JsonText<ContactList>> {
  const newest = db
    .select({ id: contacts.id })
    .from(contacts)
    .where(visibleTo(caller))
    .orderBy(desc(contacts.id))
    .limit(MAX_CONTACTS);
  return selectList(db, contactJson, (columns) =>
    db.select(columns).from(contacts).where(inArray(contacts.id, newest)).orderBy(asc(contacts.id)).$dynamic(),
  );
}

export async function getContact(db: Db, id: number, caller: Caller): Promise<JsonText<Contact>> {
  return one(
    await db
      .select(contactText)
      .from(contacts)
      .where(and(eq(contacts.id, id), visibleTo(caller))),
  );
}

/** @param caller who sends it; null for someone who is not signed in */
export async function createContact(
  db: Db | Tx,
  input: ContactInput,
  caller: Caller | null,
): Promise<JsonText<Contact>> {
  const { name, phone, massage: message } = input;
  return one(
    await db
      .insert(contacts)
      .values({ userId: caller?.id ?? null, name, phone, message })
      .returning(contactText),
  );
}

/** Changes what is given. */
export async function updateContact(
  db: Db,
  id: number,
  input: ContactPatch,
  caller: Caller,
): Promise<JsonText<Contact>> {
  return one(
    await db
      .update(contacts)
      .set({
        updatedAt: new Date(),
        ...(input.name !== undefined && { name: input.name }),
        ...(input.phone !== undefined && { phone: input.phone }),
        ...(input.massage !== undefined && { message: input.massage }),
      })
      .where(and(eq(contacts.id, id), visibleTo(caller)))
      .returning(contactText),
  );
}

export function replaceContact(db: Db, id: number, input: ContactInput, caller: Caller): Promise<JsonText<Contact>> {
  return updateContact(db, id, input, caller);
}

export async function deleteContact(db: Db, id: number, caller: Caller): Promise<void> {
  const rows = await db
    .delete(contacts)
    .where(and(eq(contacts.id, id), visibleTo(caller)))
    .returning({ id: contacts.id });
  if (rows.length === 0) throw new NotFound();
}
