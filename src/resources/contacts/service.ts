import { and, eq, sql, type SQL } from 'drizzle-orm';
import { column, jsonObject, JsonText } from '../../../db/json.js';
import { directByKey } from '../../../db/prepared.js';
import { contacts } from '../../../db/tables/index.js';
import type { Contact, ContactList } from '../../../openapi/generated/schemas.js';
import type { Input } from '../../../openapi/operation.js';
import { NotFound } from '../../lib/errors.js';
import { pagesOfNewest } from '../../lib/lists.js';
import { itemOf } from '../../lib/pages.js';
import { nothingElse } from '../../lib/patches.js';
import { userIdOf, type Caller, type UserVisit, type Visit } from '../../lib/visit.js';

export const contactJson = jsonObject<Contact>({
  id: column(contacts.id),
  name: column(contacts.name),
  phone: column(contacts.phone),
  massage: column(contacts.message),
});

const contactText = itemOf(contactJson);

/** @throws NotFound where there is no row */
function one([row]: { item: string }[]): JsonText<Contact> {
  if (row === undefined) throw new NotFound();
  return new JsonText(row.item);
}

/** What the caller may see and change: for staff all, for others what they sent signed in. */
function visibleTo(caller: Caller): SQL | undefined {
  return caller.isStaff ? undefined : eq(contacts.userId, caller.id);
}

const contactPages = pagesOfNewest<{ readonly sender: number | undefined }, Contact>({
  table: contacts,
  filters: { sender: (userId) => eq(contacts.userId, userId) },
  rows: (db) => db.select(contactText).from(contacts).$dynamic(),
});

/** Those that the caller may see. */
export const listContacts = (visit: UserVisit, { query }: Input<'listContacts'>): Promise<JsonText<ContactList>> =>
  contactPages(visit, { ...query, sender: visit.caller.isStaff ? undefined : visit.caller.id });

const contactById = directByKey((db, isStaff: boolean) =>
  db
    .select(contactText)
    .from(contacts)
    .where(
      and(eq(contacts.id, sql.placeholder('id')), isStaff ? undefined : eq(contacts.userId, sql.placeholder('caller'))),
    ),
);

export const getContact = async (
  { db, caller }: UserVisit,
  { params: { id } }: Input<'getContact'>,
): Promise<JsonText<Contact>> => one(await contactById(db, caller.isStaff)({ id, caller: userIdOf(caller) }));

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
      .values({ userId: userIdOf(caller), name, phone, message })
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
