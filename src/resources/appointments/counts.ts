/** How many appointments a list has, from the numbers that the database keeps: else it would read them all. */
import { and, eq, isNull, sql, type SQL } from 'drizzle-orm';
import { appointmentCountChanges, appointmentCounts, appointments } from '../../../db/tables/index.js';
import type { Landing, Spread } from '../../lib/lists.js';
import { partsOf, type Parties } from './access.js';
import { hasAttendance } from './wire.js';

/** The filters of a list that are asked for, with placeholders. */
interface Asked extends Readonly<Record<string, unknown>> {
  readonly status?: SQL;
  readonly type?: SQL;
  readonly cancel?: SQL;
  readonly attendance?: SQL;
  readonly parties?: Parties<SQL>;
}

interface Keyed {
  readonly by: (typeof appointmentCounts.by.enumValues)[number];
  /** Which of the keys, in the numbers and in their changes; undefined for all. */
  readonly keys?: readonly [SQL, SQL];
}

/** Rows of `key` and `total`, in two steps as they are kept; by which they are told apart is filtered here. */
function numbers({ status, type, cancel, attendance }: Asked, { by, keys = [] as never }: Keyed): SQL {
  const isPart = (table: typeof appointmentCounts | typeof appointmentCountChanges) =>
    and(
      status && eq(table.status, status),
      type && eq(table.type, type),
      cancel && eq(table.isCancelled, cancel),
      attendance && eq(table.attendance, attendance),
    );
  const { key, total } = appointmentCounts;
  const changes = appointmentCountChanges;
  const keyOfChange = {
    all: sql`0::bigint`,
    doctor: sql`${changes.doctorId}`,
    time: sql`${changes.availableTimeId}`,
    day: sql`${dayNumber(sql`${changes.date}`)}::bigint`,
    block: sql`${changes.block}`,
  }[by];
  return sql`(select ${key} as key, ${total} as total from ${appointmentCounts}
      where ${and(eq(appointmentCounts.by, sql`${sql.raw(`'${by}'`)}`), keys[0], isPart(appointmentCounts))}
    union all select ${keyOfChange}, ${changes.total} from ${changes} where ${and(sql`true`, keys[1], isPart(changes))}
    ) as numbers`;
}

const EPOCH = sql`date '2000-01-01'`;
const dayNumber = (day: SQL): SQL => sql`(${day}::date - ${EPOCH})`;

const sumOf = (asked: Asked, keyed: Keyed): SQL => sql`(select coalesce(sum(total), 0) from ${numbers(asked, keyed)})`;

/** Of which appointments there are numbers, among those that the filters but for the parts ask for. */
function keyedBy({ doctor_id: doctor, time, date, from, to, ...others }: Asked): Keyed | undefined {
  const given = [doctor, time, date, from ?? to].filter((value) => value !== undefined);
  if (given.length > 1 || Object.keys(others).length > 0) return undefined;
  const { key } = appointmentCounts;
  const changes = appointmentCountChanges;
  if (doctor !== undefined)
    return { by: 'doctor', keys: [sql`${key} = ${doctor}`, sql`${changes.doctorId} = ${doctor}`] };
  if (time !== undefined)
    return { by: 'time', keys: [sql`${key} = ${time}`, sql`${changes.availableTimeId} = ${time}`] };
  if (given.length === 0) return { by: 'all' };
  const first = (date ?? from) as SQL | undefined;
  const last = (date ?? to) as SQL | undefined;
  return {
    by: 'day',
    keys: [
      and(first && sql`${key} >= ${dayNumber(first)}`, last && sql`${key} <= ${dayNumber(last)}`) as SQL,
      and(first && sql`${changes.date} >= ${first}`, last && sql`${changes.date} <= ${last}`) as SQL,
    ],
  };
}

const PARTS = new Set(['status', 'type', 'cancel', 'attendance']);

const withoutParts = (asked: Asked): Asked =>
  Object.fromEntries(Object.entries(asked).filter(([name]) => !PARTS.has(name)));

/**
 * The number of a list's appointments. Who is not staff sees a doctor's, and a few more of patients.
 * @returns undefined where the filters leave few: of one patient, of a series, or of two keys at once
 */
export function counted(asked: Asked): SQL | undefined {
  const { parties, ...rest } = withoutParts(asked);
  const own = parties && Object.keys(rest).length === 0 ? { doctor_id: parties.doctor } : undefined;
  const keyed = keyedBy(own ?? withoutParts(asked));
  if (keyed === undefined) return undefined;
  if (parties === undefined) return sumOf(asked, keyed);
  const { status, type, cancel, attendance } = asked;
  const others = and(
    isNull(appointments.archivedAt),
    ...partsOf(parties).slice(1),
    status && eq(appointments.status, status),
    type && eq(appointments.type, type),
    cancel && eq(appointments.isCancelled, cancel),
    attendance && hasAttendance(attendance),
  );
  return sql`(${sumOf(asked, keyed)} + (select count(*) from ${appointments} where ${others}))`;
}

/** Ids of one block, as the trigger has it. */
const BLOCK = 4096;

/** From where on in an order a page has to be looked for that is far from the first, in place of from the first on. */
export function landing(ordering: string, asked: Asked): Landing | undefined {
  if (Object.keys(withoutParts(asked)).length > 0) return undefined;
  const by = ordering === 'id' ? 'block' : 'day';
  const day = sql`${EPOCH} + (select key::int from landing)`;
  return {
    steps: numbers(asked, { by }),
    isDescending: ordering === '-date',
    starts: {
      id: sql`${appointments.id} >= (select key * ${sql.raw(String(BLOCK))} from landing)`,
      date: sql`${appointments.date} >= ${day}`,
      '-date': sql`${appointments.date} <= ${day}`,
    }[ordering] as SQL,
  };
}

/**
 * Days or blocks of ids with what is asked for, each of which an index has in the order: of a range of days in the order of
 * ids, unless it begins with the first ones; of a status, a type or an attendance, which may be those of few, in an order in
 * which no index has them.
 */
export function spread(ordering: string, asked: Asked): Spread | undefined {
  const others = withoutParts(asked);
  const keyed = keyedBy(others);
  const { from, date } = others;
  const isById = ordering === 'id';
  const isOfParts = isById ? asked.attendance !== undefined : Object.keys(others).length < Object.keys(asked).length;
  if (date !== undefined || !keyed || !['all', 'day'].includes(keyed.by)) return undefined;
  if (isById && keyed.by === 'day' ? from === undefined : !isOfParts) return undefined;
  const by = isById && keyed.by === 'all' ? 'block' : 'day';
  const key = sql`spread.key`;
  const order = ordering === '-date' ? sql`key desc` : sql`key`;
  const first = sql`${key} * ${sql.raw(String(BLOCK))}`;
  return {
    filters: new Set(['from', 'to']),
    keys: sql`(select key from ${numbers(asked, { ...keyed, by })} group by key having sum(total) > 0 order by ${order})`,
    ...(!(isById && by === 'day') && { order: sql`spread.${order}` }),
    holds:
      by === 'day'
        ? sql`${appointments.date} = ${EPOCH} + ${key}::int`
        : sql`${appointments.id} between ${first} and ${first} + ${sql.raw(String(BLOCK - 1))}`,
  };
}
