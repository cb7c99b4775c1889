// Made by openapi/generate.ts from openapi.yaml. Do not edit.

import { Type, type Static } from '@sinclair/typebox';

export const Id = Type.Integer({ format: 'int64', minimum: 1, maximum: 9007199254740991 });
export type Id = Static<typeof Id>;

export const Timestamp = Type.String({ format: 'date-time', maxLength: 35 });
export type Timestamp = Static<typeof Timestamp>;

export const Problem = Type.Object({
  type: Type.String({ maxLength: 100 }),
  title: Type.String({ maxLength: 100 }),
  status: Type.Integer({ minimum: 400, maximum: 599 }),
  detail: Type.String({ maxLength: 1000 }),
  instance: Type.String({ maxLength: 45 }),
  errors: Type.Optional(
    Type.Record(Type.String(), Type.Array(Type.String({ maxLength: 500 }), { maxItems: 20 }), { maxProperties: 100 }),
  ),
});
export type Problem = Static<typeof Problem>;

export const Message = Type.Object({ message: Type.String({ maxLength: 500 }) });
export type Message = Static<typeof Message>;

export const Username = Type.String({
  minLength: 1,
  maxLength: 150,
  pattern: '^[A-Za-z0-9_.@+-]+$',
  'x-pattern-message': 'may contain only letters, digits and _ . @ + -',
});
export type Username = Static<typeof Username>;

export const Email = Type.String({ format: 'email', maxLength: 254 });
export type Email = Static<typeof Email>;

export const PersonName = Type.String({ maxLength: 150 });
export type PersonName = Static<typeof PersonName>;

export const Registration = Type.Object({
  username: Username,
  email: Email,
  first_name: Type.Optional(PersonName),
  last_name: Type.Optional(PersonName),
  password: Type.String({
    format: 'password',
    minLength: 8,
    maxLength: 128,
    'x-password-of': ['username', 'email', 'first_name', 'last_name'],
  }),
  confirm_password: Type.String({ format: 'password', maxLength: 128, 'x-same-as': 'password' }),
});
export type Registration = Static<typeof Registration>;

export const Credentials = Type.Object({
  username: Type.String({ minLength: 1, maxLength: 150 }),
  password: Type.String({ format: 'password', minLength: 1, maxLength: 128 }),
});
export type Credentials = Static<typeof Credentials>;

export const RefreshToken = Type.Object({ refresh: Type.String({ minLength: 1, maxLength: 2000 }) });
export type RefreshToken = Static<typeof RefreshToken>;

export const AccessToken = Type.Object({ access: Type.String({ maxLength: 2000 }) });
export type AccessToken = Static<typeof AccessToken>;

export const Tokens = Type.Object({
  refresh: Type.String({ maxLength: 2000 }),
  access: Type.String({ maxLength: 2000 }),
});
export type Tokens = Static<typeof Tokens>;

export const User = Type.Object({
  id: Id,
  username: Type.String({ maxLength: 150 }),
  email: Type.String({ maxLength: 254 }),
  first_name: Type.String({ maxLength: 150 }),
  last_name: Type.String({ maxLength: 150 }),
  is_staff: Type.Boolean(),
  is_active: Type.Boolean(),
  date_joined: Timestamp,
});
export type User = Static<typeof User>;

export const RegistrationResult = Type.Object({ message: Type.String({ maxLength: 500 }), tokens: Tokens, user: User });
export type RegistrationResult = Static<typeof RegistrationResult>;

export const Fee = Type.Integer({ format: 'int32', minimum: 0, maximum: 10000000 });
export type Fee = Static<typeof Fee>;

export const IdList = Type.Array(Id, { maxItems: 100 });
export type IdList = Static<typeof IdList>;

export const MeetLink = Type.String({
  maxLength: 250,
  pattern: '^(https?://[^\\s]+)?$',
  'x-pattern-message': 'must be an http or https URL, or empty',
});
export type MeetLink = Static<typeof MeetLink>;

export const Doctor = Type.Object({
  id: Id,
  user: Type.String({ maxLength: 301 }),
  profile: Type.Unsafe<string | null>({ type: ['string', 'null'], maxLength: 2000 }),
  designation: Type.Array(Type.String({ maxLength: 50 }), { maxItems: 100 }),
  specialisation: Type.Array(Type.String({ maxLength: 50 }), { maxItems: 100 }),
  available_time: Type.Array(Id, { maxItems: 100 }),
  fee: Fee,
  meet_link: Type.String({ maxLength: 250 }),
});
export type Doctor = Static<typeof Doctor>;

export const Count = Type.Integer({ format: 'int64', minimum: 0, maximum: 9007199254740991 });
export type Count = Static<typeof Count>;

export const PageLink = Type.Unsafe<string | null>({ type: ['string', 'null'], maxLength: 4000 });
export type PageLink = Static<typeof PageLink>;

export const DoctorPage = Type.Object({
  count: Count,
  next: PageLink,
  previous: PageLink,
  results: Type.Array(Doctor, { maxItems: 1000 }),
});
export type DoctorPage = Static<typeof DoctorPage>;

export const PictureUpload = Type.Unsafe<string | null>({ format: 'binary' });
export type PictureUpload = Static<typeof PictureUpload>;

export const DoctorInput = Type.Object({
  profile: Type.Optional(PictureUpload),
  designation: Type.Optional(IdList),
  specialisation: Type.Optional(IdList),
  available_time: Type.Optional(IdList),
  fee: Type.Optional(Fee),
  meet_link: Type.Optional(MeetLink),
});
export type DoctorInput = Static<typeof DoctorInput>;

export const DoctorPatch = Type.Object({
  profile: Type.Optional(PictureUpload),
  designation: Type.Optional(IdList),
  specialisation: Type.Optional(IdList),
  available_time: Type.Optional(IdList),
  fee: Type.Optional(Fee),
  meet_link: Type.Optional(MeetLink),
});
export type DoctorPatch = Static<typeof DoctorPatch>;

export const Slug = Type.String({
  minLength: 1,
  maxLength: 60,
  pattern: '^[A-Za-z0-9_-]+$',
  'x-pattern-message': 'may contain only letters, digits, _ and -',
});
export type Slug = Static<typeof Slug>;

export const LookupName = Type.String({ minLength: 1, maxLength: 50 });
export type LookupName = Static<typeof LookupName>;

export const Designation = Type.Object({
  id: Id,
  name: Type.String({ maxLength: 50 }),
  slug: Type.String({ maxLength: 60 }),
});
export type Designation = Static<typeof Designation>;

export const DesignationList = Type.Array(Designation, { maxItems: 10000 });
export type DesignationList = Static<typeof DesignationList>;

export const DesignationInput = Type.Object({ name: LookupName, slug: Slug });
export type DesignationInput = Static<typeof DesignationInput>;

export const DesignationPatch = Type.Object({ name: Type.Optional(LookupName), slug: Type.Optional(Slug) });
export type DesignationPatch = Static<typeof DesignationPatch>;

export const Specialisation = Type.Object({
  id: Id,
  name: Type.String({ maxLength: 50 }),
  slug: Type.String({ maxLength: 60 }),
});
export type Specialisation = Static<typeof Specialisation>;

export const SpecialisationList = Type.Array(Specialisation, { maxItems: 10000 });
export type SpecialisationList = Static<typeof SpecialisationList>;

export const SpecialisationInput = Type.Object({ name: LookupName, slug: Slug });
export type SpecialisationInput = Static<typeof SpecialisationInput>;

export const SpecialisationPatch = Type.Object({ name: Type.Optional(LookupName), slug: Type.Optional(Slug) });
export type SpecialisationPatch = Static<typeof SpecialisationPatch>;

export const AvailableTime = Type.Object({ id: Id, time: Type.String({ maxLength: 50 }) });
export type AvailableTime = Static<typeof AvailableTime>;

export const AvailableTimeList = Type.Array(AvailableTime, { maxItems: 10000 });
export type AvailableTimeList = Static<typeof AvailableTimeList>;

export const AvailableTimeInput = Type.Object({ time: LookupName });
export type AvailableTimeInput = Static<typeof AvailableTimeInput>;

export const AvailableTimePatch = Type.Object({ time: Type.Optional(LookupName) });
export type AvailableTimePatch = Static<typeof AvailableTimePatch>;
