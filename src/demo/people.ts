/** The people and lists of the demo's hospital, all made up. */

/** The three accounts that whoever runs the demo signs in with; they tell the demo's own database from any other. */
export const ACCOUNTS = [
  {
    ...{ username: 'patient', email: 'patient@demo.example', firstName: 'Maya', lastName: 'Lindholm' },
    who: 'a patient, whose profile and patient record are still to be filled',
  },
  {
    ...{ username: 'doctor', email: 'doctor@demo.example', firstName: 'Amara', lastName: 'Okafor' },
    who: 'a doctor, who has patients today',
  },
  {
    ...{ username: 'staff', email: 'staff@demo.example', firstName: 'Jonas', lastName: 'Whitfield' },
    who: 'staff, who may do everything',
  },
] as const;

/** Of each of the three accounts. */
export const PASSWORD = 'Maple-Ward-12';

/** No doctor has the first one, nor the first designation and slot: so they can be changed and deleted. */
export const SPECIALISATIONS = [
  ...['Anaesthesiology', 'Cardiology', 'Dermatology', 'Emergency Medicine', 'Endocrinology', 'Gastroenterology'],
  ...['General Practice', 'Geriatrics', 'Gynaecology', 'Neurology', 'Oncology', 'Ophthalmology', 'Orthopaedics'],
  ...['Paediatrics', 'Psychiatry', 'Pulmonology', 'Radiology', 'Rheumatology', 'Urology'],
];

export const DESIGNATIONS = [
  ...['Medical Director', 'Head of Department', 'Professor', 'Senior Consultant', 'Consultant', 'Specialist'],
  ...['Surgeon', 'Registrar', 'Resident', 'Visiting Doctor'],
];

function clock(minute: number): string {
  const hour = String(((Math.floor(minute / 60) + 11) % 12) + 1).padStart(2, '0');
  return `${hour}:${String(minute % 60).padStart(2, '0')} ${minute % 1440 < 720 ? 'AM' : 'PM'}`;
}

const halfHour = (start: number): string => `${clock(start)} - ${clock((start + 30) % 1440)}`;

/** The half hours of day and night, from 8 in the morning on, and two labels that are no clock times. */
export const SLOTS = [
  halfHour(735),
  ...Array.from({ length: 48 }, (_, index) => halfHour((480 + index * 30) % 1440)),
  ...['Evening visit', 'Home visit'],
];

/** The hours in which a doctor sees patients by the week: six half hours on end from one of these, in minutes. */
export const FIRST_HOURS = [540, 600, 780, 870, 960];

export type Hair = 'short' | 'curls' | 'long' | 'bun' | 'bald' | 'scarf';

export interface DemoDoctor {
  readonly firstName: string;
  readonly lastName: string;
  readonly hair: Hair;
  /** From light, 0, to dark, 4. */
  readonly skin: number;
  readonly fee: number;
  readonly designations: readonly string[];
  readonly specialisations: readonly string[];
}

type Row = [name: string, hair: Hair, skin: number, fee: number, designations: string, specialisations: string];

const DOCTORS_BY_NAME: Row[] = [
  ['Johannes Ekström', 'short', 0, 140, 'Visiting Doctor', 'Psychiatry'],
  ['Amara Okafor', 'bun', 4, 180, 'Senior Consultant, Head of Department', 'Cardiology'],
  ['Henrik Solberg', 'short', 0, 150, 'Consultant', 'Cardiology, Pulmonology'],
  ['Priya Raghavan', 'long', 3, 120, 'Specialist', 'Cardiology, Geriatrics'],
  ['Tomás Villareal', 'short', 2, 110, 'Specialist', 'Dermatology'],
  ['Ingrid Falkenau', 'bun', 0, 90, 'Registrar', 'Dermatology'],
  ['Kwabena Asare', 'bald', 4, 140, 'Consultant, Head of Department', 'Emergency Medicine'],
  ['Luana Teixeira', 'curls', 3, 80, 'Resident', 'Emergency Medicine, General Practice'],
  ['Mateusz Zielonka', 'short', 0, 95, 'Registrar', 'Emergency Medicine, Orthopaedics'],
  ['Yuki Tanimura', 'long', 1, 130, 'Consultant', 'Endocrinology'],
  ['Farid Benhaddou', 'short', 2, 125, 'Specialist', 'Endocrinology, General Practice'],
  ['Elena Markovska', 'long', 1, 135, 'Senior Consultant', 'Gastroenterology'],
  ['Oluwaseun Adeyinka', 'short', 4, 100, 'Registrar', 'Gastroenterology, Oncology'],
  ['Grace Kimathi', 'curls', 4, 60, 'Consultant', 'General Practice'],
  ['Patrick Dunmore', 'bald', 0, 55, 'Specialist', 'General Practice, Geriatrics'],
  ['Noor Al-Rashidi', 'scarf', 2, 60, 'Specialist', 'General Practice, Paediatrics'],
  ['Bao Tran Linh', 'short', 1, 45, 'Resident', 'General Practice'],
  ['Margarethe Voss', 'bun', 0, 115, 'Senior Consultant, Professor', 'Geriatrics'],
  ['Soraya Kazemi', 'scarf', 1, 140, 'Consultant, Surgeon', 'Gynaecology'],
  ['Chiara Montefusco', 'long', 1, 130, 'Consultant', 'Gynaecology, Oncology'],
  ['Dmitri Volkonin', 'short', 0, 200, 'Professor, Head of Department', 'Neurology'],
  ['Ananya Deshmukh', 'long', 3, 145, 'Specialist', 'Neurology, Psychiatry'],
  ['Rafael Quintanar', 'curls', 2, 160, 'Senior Consultant', 'Oncology'],
  ['Hye-jin Baek', 'bun', 1, 150, 'Consultant', 'Oncology, Radiology'],
  ['Wanjiru Maathi', 'short', 4, 120, 'Surgeon', 'Ophthalmology'],
  ['Lukas Brandstätter', 'short', 0, 115, 'Specialist', 'Ophthalmology'],
  ['Zeynep Karaca', 'long', 1, 170, 'Surgeon, Senior Consultant', 'Orthopaedics'],
  ['Malik Toure', 'bald', 4, 155, 'Surgeon', 'Orthopaedics, Rheumatology'],
  ['Sofía Arreola', 'bun', 2, 90, 'Consultant', 'Paediatrics'],
  ['Emeka Nwachi', 'short', 4, 85, 'Registrar', 'Paediatrics, Emergency Medicine'],
  ['Aisha Rahmani', 'scarf', 3, 135, 'Consultant', 'Psychiatry'],
  ['Wei-Lin Zhao', 'long', 1, 130, 'Specialist', 'Pulmonology'],
  ['Nadia Petrenkova', 'curls', 0, 105, 'Specialist', 'Radiology'],
  ['Arjun Mehrotra', 'short', 3, 125, 'Consultant, Visiting Doctor', 'Rheumatology, Geriatrics'],
  ['Lerato Mokgadi', 'curls', 4, 95, 'Resident', 'Rheumatology, Radiology'],
  ['Gabriel Fontanel', 'bald', 1, 145, 'Surgeon, Consultant', 'Urology'],
];

/** Splits at the last space. */
export function splitName(name: string): { firstName: string; lastName: string } {
  const at = name.lastIndexOf(' ');
  return { firstName: name.slice(0, at), lastName: name.slice(at + 1) };
}

/** A name as user names and URLs have it: `Lukas Brandstätter` is `lukas.brandstatter`. */
export function handle(name: string): string {
  const plain = name.normalize('NFD').replaceAll(/\p{M}/gu, '');
  return plain.toLowerCase().replaceAll(/[^a-z0-9]+/g, '.');
}

export const DOCTORS: readonly DemoDoctor[] = DOCTORS_BY_NAME.map(
  ([name, hair, skin, fee, designations, specialisations]) => ({
    ...splitName(name),
    ...{ hair, skin, fee },
    designations: designations.split(', '),
    specialisations: specialisations.split(', '),
  }),
);

export const PATIENTS: readonly string[] = [
  ...['Ada Brenninger', 'Tobias Achterberg', 'Leila Haddadi', 'Marcus Eastwell', 'Ines Carvalheira', 'Samuel Otieno'],
  ...['Freya Lindqvist', 'Hassan Mirzaei', 'Olga Petrashko', 'Diego Santamarta', 'Mei Kawashima', 'Ruth Abernethy'],
  ...['Kofi Mensa', 'Clara Weissenborn', 'Vikram Chandrasen', 'Nora Haugland', 'Pedro Almendra', 'Thandiwe Khumalo'],
  ...['Liam Corrigan', 'Fatou Diallo', 'Stefan Novotny', 'Giulia Ferrante', 'Tariq Suleiman', 'Hana Prochazka'],
  ...['Bruno Lavigne', 'Selma Yildirim', 'Aaron Feldstein', 'Ji-woo Namgung', 'Zofia Wilczek', 'Omar Bouzidi'],
  ...['Kirsi Laaksonen', 'Andrés Belmonte', 'Ngozi Eze', 'Peter Hollander', 'Rania Khoury', 'Jack Winterbourne'],
];

/** A patient who has become a doctor without anybody of the staff. */
export const APPLICANT = 'Selma Yildirim';

/** A child, whose record the patient's account manages. */
export const DEPENDANT = { firstName: 'Nils', lastName: 'Lindholm', dateOfBirth: '2017-05-09' };

/** Somebody without an account, whom the desk has taken down. */
export const DESK_PATIENT = {
  firstName: 'Rosa',
  lastName: 'Marsh',
  phone: '+44 20 7946 0199',
  dateOfBirth: '1941-11-02',
};

export const STREETS = [
  ...['Elm Row', 'Harbour Lane', 'Mill Street', 'Orchard Road', 'Station Square', 'Tanners Hill', 'Abbey Walk'],
  ...['Brewery Lane', 'Chapel Close', 'Dock Road', 'Foundry Street', 'Granary Yard', 'Linden Avenue'],
];

/** How people choose the name before the `@` of an address, and the one behind it. */
export const MAILBOXES: readonly ((first: string, last: string, year: number) => string)[] = [
  (first, last) => `${first}.${last}`,
  (first, last) => `${first.charAt(0)}${last}`,
  (first, last, year) => `${first}.${last}${String(year % 100).padStart(2, '0')}`,
  (first, last) => `${first}_${last}`,
  (first, last) => `${last}.${first}`,
  (first, _last, year) => `${first}${year}`,
  (first, last) => `${first}.${last.charAt(0)}`,
];
export const MAIL_DOMAINS = ['post.example', 'inbox.example', 'mail.example', 'letterbox.example', 'harbour.example'];
