/** The agenda as a table for spreadsheets, and as a page to print for the desk and the doctor's door. */
import type { Agenda, AgendaEntry } from '../../../openapi/generated/schemas.js';
import type { PrintedPage, Table } from '../../../openapi/operation.js';

const FIELDS = [
  ...(['kind', 'id', 'start', 'end', 'time', 'label', 'patient', 'patient_name', 'phone'] as const),
  ...(['appointment_type', 'appointment_status', 'attendance', 'symptoms', 'from', 'to', 'reason'] as const),
] as const satisfies readonly (keyof AgendaEntry)[];

export const agendaTable = ({ date, results }: Agenda): Table => ({
  title: `agenda-${date}`,
  columns: ['doctor', 'doctor_name', 'date', ...FIELDS],
  rows: results.flatMap(({ doctor, doctor_name: name, entries }) =>
    entries.map((entry) => [doctor, name, date, ...FIELDS.map((field) => entry[field])]),
  ),
});

const KINDS = { appointment: '', free: 'Free', leave: 'Away', closure: 'Closed' } as const;
const PLACES = { Online: 'Online', Offline: 'At the clinic' } as const;
const ATTENDANCES = { arrived: 'Yes', no_show: 'No' } as const;
/** To be ticked by pen. */
const UNKNOWN = '☐ Yes ☐ No';

function rowOf(entry: AgendaEntry, clock: Intl.DateTimeFormat): Table['rows'][number] {
  const { kind, label, patient_name: name, phone, appointment_type: type, attendance, reason } = entry;
  if (kind === 'appointment') {
    return [label, name, phone, type && PLACES[type], attendance === null ? UNKNOWN : ATTENDANCES[attendance]];
  }
  const [start, end] = [entry.start, entry.end].map((time) => (time === null ? '' : clock.format(new Date(time))));
  // Of the end of the day the clock shows the start of the next.
  const time = label ?? (start === end ? 'All day' : `${start} - ${end === '00:00' ? '24:00' : end}`);
  return [time, [KINDS[kind], reason].filter(Boolean).join(': '), null, null, null];
}

export function agendaPage({ date, time_zone: zone, count, results }: Agenda): PrintedPage {
  const weekday = new Intl.DateTimeFormat('en', { weekday: 'long', timeZone: 'UTC' }).format(new Date(date));
  const clock = new Intl.DateTimeFormat('en-GB', { timeZone: zone, hour: '2-digit', minute: '2-digit' });
  const doctors = results.length === count ? '' : ` ${results.length} of ${count} doctors.`;
  return {
    title: `Agenda of ${weekday}, ${date}`,
    lead: `Times are by the clinic's clock (${zone}).${doctors}`,
    tables: results.map(({ doctor_name: title, entries }) => ({
      title,
      columns: ['Time', 'Patient', 'Phone', 'Where', 'Came'],
      rows: entries.map((entry) => rowOf(entry, clock)),
    })),
  };
}
