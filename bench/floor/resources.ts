/** What the floor answers, in the best SQL for it that a hand can write. */
import { getOne, listAll, listPages, type Add, type Answer, type Asked, type Pages } from './sql.js';

const picture = (column: string, { base }: Asked, add: Add): string =>
  `${add(`${base}/pictures/`, 'text')} || ${column}`;
const moment = (value: string): string => `to_char(${value}, 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;
const like = (value: string, add: Add): string => `like '%' || (select folded(${add(value, 'text')})) || '%'`;

// --- Doctors ---

const linked = (list: string, entry: string) => (value: string, add: Add) =>
  `t.id in (select doctor_id from doctor_${list} where ${entry}_id = ${add(value, 'bigint')})`;

const doctorFields = (asked: Asked, add: Add, [designations, specialisations, times]: [string, string, string]) => `
  t.id, display_name as "user", ${picture('picture', asked, add)} as profile, ${designations} as designation,
  ${specialisations} as specialisation, ${times} as available_time, fee, meet_link`;

/** A list of every doctor of the page, read in one scan: for many doctors faster than a subquery each. */
const entries = (table: string, value: string, entry: string, join = '') => `
  left join (
    select doctor_id, array_agg(${value} order by ${entry}) entries
    from doctor_${table} ${join} where doctor_id = any(array(select id from page)) group by doctor_id
  ) ${table} on ${table}.doctor_id = t.id`;

const DOCTORS: Pages = {
  table: 'doctors',
  item: (asked, add) => {
    const list = (table: string) => `coalesce(${table}.entries, '{}')`;
    return doctorFields(asked, add, [list('designations'), list('specialisations'), list('available_times')]);
  },
  join: `join users on users.id = t.user_id
    ${entries('designations', 'name', 'designation_id', 'join designations on id = designation_id')}
    ${entries('specialisations', 'name', 'specialisation_id', 'join specialisations on id = specialisation_id')}
    ${entries('available_times', 'available_time_id', 'available_time_id')}`,
  where: () => 't.archived_at is null and t.is_active',
  filters: {
    specialisation: linked('specialisations', 'specialisation'),
    designation: linked('designations', 'designation'),
    available_time: linked('available_times', 'available_time'),
    fee: (value, add) => `t.fee = ${add(value, 'int')}`,
    min_fee: (value, add) => `t.fee >= ${add(value, 'int')}`,
    max_fee: (value, add) => `t.fee <= ${add(value, 'int')}`,
    search: (value, add) => `t.user_id in (select id from users where folded_display_name ${like(value, add)})`,
  },
  orders: {
    fee: 't.fee, t.id',
    '-fee': 't.fee desc, t.id',
    name: 'users.folded_display_name collate "C", t.id',
  },
  joinForOrder: { name: 'join users on users.id = t.user_id' },
};

const names = (lookup: string, entry: string) => `array(
  select (select name from ${lookup} where id = ${entry}_id)
  from doctor_${lookup} where doctor_id = t.id order by ${entry}_id)`;

const doctor = (id: string) => (asked: Asked, add: Add) => `
  select ${doctorFields(asked, add, [
    names('designations', 'designation'),
    names('specialisations', 'specialisation'),
    'array(select available_time_id from doctor_available_times where doctor_id = t.id order by 1)',
  ])}
  from doctors t join users on users.id = t.user_id where t.id = ${add(id, 'bigint')} and archived_at is null`;

// --- Patients ---

const PATIENT = {
  fields: (asked: Asked, add: Add) => `
    t.id, coalesce(users.username, '') as "user", ${picture('t.picture', asked, add)} as profile, t.phone,
    coalesce(users.display_name, btrim(t.first_name || ' ' || t.last_name)) as name, coalesce(users.email, t.email) as email,
    coalesce(profiles.date_of_birth, t.date_of_birth) as date_of_birth, t.managed_by`,
  join: 'left join users on users.id = t.user_id left join profiles on profiles.user_id = t.user_id',
};

/** Patients whom somebody who is not staff sees. */
const seenPatients = (caller: string): string => `(
  select id from patients where user_id = ${caller} and archived_at is null
  union select id from patients where managed_by = ${caller} and archived_at is null
  union select patient_id from appointments
    where doctor_id = any(array(select id from doctors where user_id = ${caller} and archived_at is null)))`;

const PATIENTS: Pages = {
  table: 'patients',
  item: PATIENT.fields,
  join: PATIENT.join,
  where: ({ caller }, add) =>
    `t.archived_at is null${caller === 'staff' ? '' : ` and t.id in ${seenPatients(add(caller, 'bigint'))}`}`,
  narrow: new Set(['phone', 'search']),
  filters: {
    phone: (value, add) => `t.phone_digits = ${add(value.replaceAll(/\D/g, ''), 'text')}`,
    search: (value, add) => `t.id = any(array(
      select p.id from users join patients p on p.user_id = users.id where users.folded_names ${like(value, add)}
      union select id from patients where folded_names ${like(value, add)}
      ${/^\d+$/.test(value) ? `union select id from patients where id = ${add(value, 'bigint')} or phone_digits like '%' || ${add(value, 'text')} || '%'` : ''}))`,
  },
};

const patient = (id: string) => (asked: Asked, add: Add) => {
  const { caller } = asked;
  const who = caller === 'staff' ? '' : add(caller, 'bigint');
  const seen =
    who === ''
      ? ''
      : `and (t.user_id = ${who} or t.managed_by = ${who} or exists (
          select from doctors join appointments on doctor_id = doctors.id
          where doctors.user_id = ${who} and doctors.archived_at is null and patient_id = t.id))`;
  return `select ${PATIENT.fields(asked, add)} from patients t ${PATIENT.join}
    where t.id = ${add(id, 'bigint')} and t.archived_at is null ${seen}`;
};

// --- Profiles ---

const PROFILE = {
  fields: (asked: Asked, add: Add) => `
    t.id, json_build_object('id', users.id, 'username', users.username, 'email', users.email, 'first_name', users.first_name,
      'last_name', users.last_name, 'is_staff', users.is_staff, 'is_active', users.is_active,
      'date_joined', ${moment('users.date_joined')}) as "user",
    t.bio, t.address, t.date_of_birth, ${picture('t.picture', asked, add)} as profile_picture,
    ${moment('t.created_at')} as created_at, ${moment('t.updated_at')} as updated_at`,
  join: 'join users on users.id = t.user_id',
  where: ({ caller }: Asked, add: Add) => (caller === 'staff' ? 'true' : `t.user_id = ${add(caller, 'bigint')}`),
};

const PROFILES: Pages = {
  table: 'profiles',
  item: PROFILE.fields,
  join: PROFILE.join,
  where: PROFILE.where,
  filters: { search: (value, add) => `t.user_id in (select id from users where search_text ${like(value, add)})` },
};

const profile = (id: string) => (asked: Asked, add: Add) => `
  select ${PROFILE.fields(asked, add)} from profiles t ${PROFILE.join}
  where t.id = ${add(id, 'bigint')} and ${PROFILE.where(asked, add)}`;

// --- Appointments ---

/** The clinic's clock is that of UTC. */
export const APPOINTMENT = {
  fields: `
    t.id, t.patient_id as patient, t.doctor_id as doctor,
    case t.type when 'online' then 'Online' else 'Offline' end as appointment_type,
    case t.status when 'pending' then 'Pendding' when 'running' then 'Runing' else 'Complated' end as appointment_status,
    t.symptoms, t.available_time_id as time, t.is_cancelled as cancel,
    case when t.cancel_code is not null then json_build_object('code', t.cancel_code, 'text', t.cancel_text) end as cancel_reason,
    t.attendance, t.is_overbooked, t.date, ${moment('lower(t.period)')} as start, ${moment('upper(t.period)')} as "end",
    (select label from available_times where id = t.available_time_id) as label,
    (select display_name from doctors join users on users.id = user_id where doctors.id = t.doctor_id) as doctor_name,
    (select coalesce(display_name, btrim(patients.first_name || ' ' || patients.last_name))
      from patients left join users on users.id = user_id where patients.id = t.patient_id) as patient_name,
    ${moment('t.created_at')} as created_at, ${moment('t.updated_at')} as updated_at, t.series_id as series`,
  where: ({ caller }: Asked, add: Add) => {
    if (caller === 'staff') return 't.archived_at is null';
    const who = add(caller, 'bigint');
    return `t.archived_at is null and (
      t.patient_id = any(array(select id from patients where user_id = ${who} or managed_by = ${who}))
      or t.doctor_id = any(array(select id from doctors where user_id = ${who} and archived_at is null)))`;
  },
};

const APPOINTMENTS: Pages = {
  table: 'appointments',
  item: () => APPOINTMENT.fields,
  where: () => 't.archived_at is null',
  // Two lists that have nothing in common, each by its index.
  seen: (caller) => `(
    select * from appointments where patient_id = any(array(select id from patients where user_id = ${caller} or managed_by = ${caller}))
    union all
    select * from appointments where doctor_id = any(array(select id from doctors where user_id = ${caller} and archived_at is null))
      and patient_id <> all(array(select id from patients where user_id = ${caller} or managed_by = ${caller})))`,
  narrow: new Set(['patient_id', 'doctor_id', 'date', 'from', 'to', 'search']),
  filters: {
    patient_id: (value, add) => `t.patient_id = ${add(value, 'bigint')}`,
    doctor_id: (value, add) => `t.doctor_id = ${add(value, 'bigint')}`,
    date: (value, add) => `t.date = ${add(value, 'date')}`,
    time: (value, add) => `t.available_time_id = ${add(value, 'bigint')}`,
    from: (value, add) => `t.date >= ${add(value, 'date')}`,
    to: (value, add) => `t.date <= ${add(value, 'date')}`,
    status: (value) =>
      `t.status = '${value === 'Pendding' ? 'pending' : value === 'Runing' ? 'running' : 'completed'}'`,
    type: (value) => `t.type = '${value === 'Online' ? 'online' : 'offline'}'`,
    cancel: (value) => (value === 'true' ? 't.is_cancelled' : 'not t.is_cancelled'),
    attendance: (value) =>
      value === 'none' ? 't.attendance is null' : `t.attendance = '${value === 'arrived' ? 'arrived' : 'no_show'}'`,
    search: (value, add) => `t.id = any(array(
      select id from appointments where patient_id in (
        select patients.id from users join patients on user_id = users.id where folded_display_name ${like(value, add)}
        union all select id from patients where folded_names ${like(value, add)})
      union select id from appointments where doctor_id in (
        select doctors.id from users join doctors on user_id = users.id where folded_display_name ${like(value, add)})))`,
  },
  orders: {
    date: 't.date, lower(t.period), t.id',
    '-date': 't.date desc, lower(t.period) desc nulls last, t.id',
  },
};

export const appointment =
  (id: string) =>
  (asked: Asked, add: Add): string => `
  select ${APPOINTMENT.fields} from appointments t where t.id = ${add(id, 'bigint')} and ${APPOINTMENT.where(asked, add)}`;

// --- Reviews ---

const REVIEW = {
  fields: `t.id, reviewers.short_name as reviewer, doctor_users.display_name as doctor_name, t.body, t.created_on,
    repeat('⭐', t.rating) as rating`,
  join: `join doctors on doctors.id = t.doctor_id join users doctor_users on doctor_users.id = doctors.user_id
    join patients on patients.id = t.patient_id join users reviewers on reviewers.id = patients.user_id`,
};

const REVIEWS: Pages = {
  table: 'reviews',
  item: () => REVIEW.fields,
  join: REVIEW.join,
  narrow: new Set(['doctor', 'reviwer']),
  filters: {
    doctor: (value, add) => `t.doctor_id = ${add(value, 'bigint')}`,
    reviwer: (value, add) => `t.patient_id = ${add(value, 'bigint')}`,
    rating: (value, add) => `t.rating = ${add(value, 'int')}`,
  },
};

const review = (id: string) => (_asked: Asked, add: Add) =>
  `select ${REVIEW.fields} from reviews t ${REVIEW.join} where t.id = ${add(id, 'bigint')}`;

// --- What has no pages ---

const service = (asked: Asked, add: Add) =>
  `select id, ${picture('picture', asked, add)} as image, name, description from services`;

const clock = (minute: string) => `to_char(make_interval(mins => ${minute} % 1440), 'HH24:MI')`;

const BARE: Readonly<Record<string, (asked: Asked, add: Add) => string>> = {
  services: (asked, add) => `${service(asked, add)} order by id limit 10000`,
  designations: () => 'select id, name, slug from designations order by id limit 10000',
  specialisations: () => 'select id, name, slug from specialisations order by id limit 10000',
  'available-time': () =>
    `select id, label as time, ${clock('start_minute')} as start, ${clock('end_minute')} as "end"
    from available_times order by id limit 10000`,
  contacts: ({ caller }, add) => `
    select id, name, phone, message as massage from (
      select * from contacts ${caller === 'staff' ? '' : `where user_id = ${add(caller, 'bigint')}`} order by id desc limit 10000
    ) newest order by id`,
};

const PAGED: Readonly<Record<string, Pages>> = {
  doctors: DOCTORS,
  patients: PATIENTS,
  profiles: PROFILES,
  appointments: APPOINTMENTS,
  reviews: REVIEWS,
};

const RECORDS: Readonly<Record<string, (id: string) => (asked: Asked, add: Add) => string>> = {
  ...{ doctors: doctor, patients: patient, profiles: profile, appointments: appointment, reviews: review },
  services: (id) => (asked, add) => `${service(asked, add)} where id = ${add(id, 'bigint')}`,
};

/** @returns undefined for what there is not */
export function read(asked: Asked): Promise<Answer> | undefined {
  const [resource = '', id = ''] = asked.path.replace('/api/user/', '/').split('/').slice(1);
  const [pages, record, bare] = [PAGED[resource], RECORDS[resource], BARE[resource]];
  if (id !== '') return record && getOne(record(id), asked);
  return pages ? listPages(pages, asked) : bare && listAll(bare, asked);
}
