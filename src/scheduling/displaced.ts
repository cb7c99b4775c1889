/** What becomes of upcoming appointments that leave or changed hours take the time of. */
import { and, asc, eq, sql, type SQL } from 'drizzle-orm';
import { column, jsonArray, jsonObject } from '../../db/json.js';
import { one } from '../../db/rows.js';
import { appointments, availableTimes, patients, users } from '../../db/tables/index.js';
import type { Displace, DisplacedAppointment, DisplacedAppointments } from '../../openapi/generated/schemas.js';
import { ProblemError } from '../../openapi/problem-error.js';
import { patientName } from '../lib/names.js';
import type { UserVisit, Within } from '../lib/visit.js';
import { cancelledFor, type Reason } from './cancellation.js';
import { isLive, isUpcoming } from './slots.js';

/** The most appointments that an answer lists. */
const MAX_LISTED = 1000;

class HasAppointments extends ProblemError {
  constructor(found: DisplacedAppointments) {
    const { displaced } = found;
    const what = displaced === 1 ? 'One upcoming appointment stands' : `${displaced} upcoming appointments stand`;
    super(
      'has-appointments',
      `${what} in the way. Say by displace what is to become of ${displaced === 1 ? 'it' : 'them'}.`,
      {
        ...found,
      },
    );
  }
}

const displacedJson = jsonObject<DisplacedAppointment>({
  id: column(appointments.id),
  doctor: column(appointments.doctorId),
  patient: column(appointments.patientId),
  patient_name: patientName(),
  date: column(appointments.date),
  time: column(appointments.availableTimeId),
  label: column(availableTimes.label),
});

/** Upcoming appointments, as rows of `appointments` and `available_times`. */
const upcoming = ({ db, calendar }: Within, where: SQL) =>
  db
    .select({ id: appointments.id })
    .from(appointments)
    .innerJoin(availableTimes, eq(availableTimes.id, appointments.availableTimeId))
    .where(and(isLive, isUpcoming(calendar), where));

/** The ids of a doctor's upcoming appointments. */
export async function upcomingIds(visit: Within, where: SQL): Promise<number[]> {
  return (await upcoming(visit, where)).map(({ id }) => id);
}

interface Displacement {
  readonly displace: Displace | undefined;
  readonly isDryRun: boolean;
  /** Whose doing it is. The reason of leave stays with those who may see the leave. */
  readonly cancelCode: Reason['code'];
}

/**
 * Does with upcoming appointments what is asked for.
 * @param where on `appointments` and `available_times`
 * @returns how many there were, and which
 * @throws HasAppointments where there are some, and they are to be refused
 */
export async function displaceAppointments(
  visit: Within<UserVisit>,
  where: SQL,
  { displace = 'refuse', isDryRun, cancelCode }: Displacement,
): Promise<DisplacedAppointments> {
  const { db } = visit;
  const ids = upcoming(visit, where);
  const found = one(
    await db.execute<{ displaced: number; appointments: DisplacedAppointment[] }>(sql`
      with displaced as materialized (${ids})
      select (select count(*) from displaced)::int as displaced, ${jsonArray(sql`
        select ${displacedJson} from displaced
        join ${appointments} on ${appointments.id} = displaced.id
        join ${availableTimes} on ${availableTimes.id} = ${appointments.availableTimeId}
        join ${patients} on ${patients.id} = ${appointments.patientId}
        left join ${users} on ${users.id} = ${patients.userId}
        order by ${asc(appointments.date)}, ${asc(appointments.period)}, ${asc(appointments.id)} limit ${MAX_LISTED}`)}
        as appointments`),
  );
  if (found.displaced > 0 && !isDryRun && displace === 'refuse') throw new HasAppointments(found);
  if (displace === 'cancel') {
    await db
      .update(appointments)
      .set(cancelledFor({ code: cancelCode, text: '' }))
      .where(sql`${appointments.id} in (${ids})`);
  }
  return found;
}
