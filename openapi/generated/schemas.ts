// Made by openapi/generate.ts from openapi.yaml. Do not edit.

import { Type, type Static, type TObject } from '@sinclair/typebox';

const nullable = <T extends TObject>(schema: T) =>
  Type.Unsafe<Static<T> | null>({ ...schema, type: ['object', 'null'] });

export const Username = Type.String({
  minLength: 1,
  maxLength: 150,
  pattern: '^[A-Za-z0-9_.@+-]+$',
  'x-text': 'word',
  'x-pattern-message': 'may contain only letters, digits and _ . @ + -',
});
export type Username = Static<typeof Username>;

export const Email = Type.String({ format: 'email', maxLength: 254, 'x-text': 'word' });
export type Email = Static<typeof Email>;

export const PersonName = Type.String({ maxLength: 150, 'x-text': 'name' });
export type PersonName = Static<typeof PersonName>;

export const InvitationToken = Type.String({ minLength: 1, maxLength: 100 });
export type InvitationToken = Static<typeof InvitationToken>;

export const Registration = Type.Object({
  username: Username,
  email: Email,
  first_name: Type.Optional(PersonName),
  last_name: Type.Optional(PersonName),
  password: Type.String({
    format: 'password',
    minLength: 8,
    maxLength: 128,
    'x-text': 'password',
    'x-password-of': ['username', 'email', 'first_name', 'last_name'],
  }),
  confirm_password: Type.String({ format: 'password', maxLength: 128, 'x-text': 'password', 'x-same-as': 'password' }),
  invitation: Type.Optional(InvitationToken),
});
export type Registration = Static<typeof Registration>;

export const Tokens = Type.Object({
  refresh: Type.String({ maxLength: 2000 }),
  access: Type.String({ maxLength: 2000 }),
});
export type Tokens = Static<typeof Tokens>;

export const Id = Type.Integer({ format: 'int64', minimum: 1, maximum: 9007199254740991 });
export type Id = Static<typeof Id>;

export const Timestamp = Type.String({ format: 'date-time', maxLength: 35 });
export type Timestamp = Static<typeof Timestamp>;

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

export const Credentials = Type.Object({
  username: Type.String({ minLength: 1, maxLength: 150, 'x-text': 'word' }),
  password: Type.String({ format: 'password', minLength: 1, maxLength: 128 }),
  otp: Type.Optional(Type.String({ maxLength: 100 })),
});
export type Credentials = Static<typeof Credentials>;

export const RefreshToken = Type.Object({ refresh: Type.String({ minLength: 1, maxLength: 2000 }) });
export type RefreshToken = Static<typeof RefreshToken>;

export const Message = Type.Object({ message: Type.String({ maxLength: 500 }) });
export type Message = Static<typeof Message>;

export const AccessToken = Type.Object({
  access: Type.String({ maxLength: 2000 }),
  refresh: Type.Optional(Type.String({ maxLength: 2000 })),
});
export type AccessToken = Static<typeof AccessToken>;

export const PasswordChange = Type.Object({
  current_password: Type.String({ format: 'password', minLength: 1, maxLength: 128 }),
  password: Type.String({ format: 'password', minLength: 8, maxLength: 128, 'x-text': 'password' }),
  confirm_password: Type.String({ format: 'password', maxLength: 128, 'x-text': 'password', 'x-same-as': 'password' }),
});
export type PasswordChange = Static<typeof PasswordChange>;

export const Count = Type.Integer({ format: 'int64', minimum: 0, maximum: 9007199254740991 });
export type Count = Static<typeof Count>;

export const PageLink = Type.Unsafe<string | null>({ type: ['string', 'null'], maxLength: 4000 });
export type PageLink = Static<typeof PageLink>;

export const Session = Type.Object({
  id: Id,
  created_at: Timestamp,
  refreshed_at: Type.Unsafe<string | null>({ type: ['string', 'null'], format: 'date-time' }),
  expires_at: Timestamp,
  address: Type.Unsafe<string | null>({ type: ['string', 'null'], maxLength: 64 }),
  user_agent: Type.Unsafe<string | null>({ type: ['string', 'null'], maxLength: 200 }),
  is_current: Type.Boolean(),
});
export type Session = Static<typeof Session>;

export const SessionPage = Type.Object({
  count: Count,
  next: PageLink,
  previous: PageLink,
  results: Type.Array(Session, { maxItems: 1000 }),
});
export type SessionPage = Static<typeof SessionPage>;

export const UserPage = Type.Object({
  count: Count,
  next: PageLink,
  previous: PageLink,
  results: Type.Array(User, { maxItems: 1000 }),
});
export type UserPage = Static<typeof UserPage>;

export const UserPatch = Type.Object({
  is_active: Type.Optional(Type.Boolean()),
  is_staff: Type.Optional(Type.Boolean()),
});
export type UserPatch = Static<typeof UserPatch>;

export const PasswordResetCode = Type.String({ minLength: 1, maxLength: 100 });
export type PasswordResetCode = Static<typeof PasswordResetCode>;

export const PasswordReset = Type.Object({ code: PasswordResetCode, expires_at: Timestamp });
export type PasswordReset = Static<typeof PasswordReset>;

export const ForgottenPassword = Type.Object({ email: Email });
export type ForgottenPassword = Static<typeof ForgottenPassword>;

export const PasswordResetInput = Type.Object({
  username: Type.String({ minLength: 1, maxLength: 150, 'x-text': 'word' }),
  code: PasswordResetCode,
  password: Type.String({
    format: 'password',
    minLength: 8,
    maxLength: 128,
    'x-text': 'password',
    'x-password-of': ['username'],
  }),
  confirm_password: Type.String({ format: 'password', maxLength: 128, 'x-text': 'password', 'x-same-as': 'password' }),
});
export type PasswordResetInput = Static<typeof PasswordResetInput>;

export const TotpState = Type.Object({
  is_active: Type.Boolean(),
  recovery_codes_left: Type.Integer({ minimum: 0, maximum: 10 }),
});
export type TotpState = Static<typeof TotpState>;

export const PasswordProof = Type.Object({
  current_password: Type.String({ format: 'password', minLength: 1, maxLength: 128 }),
});
export type PasswordProof = Static<typeof PasswordProof>;

export const TotpSecret = Type.Object({
  secret: Type.String({ maxLength: 100 }),
  uri: Type.String({ maxLength: 2000 }),
});
export type TotpSecret = Static<typeof TotpSecret>;

export const TotpConfirmation = Type.Object({ code: Type.String({ minLength: 1, maxLength: 100 }) });
export type TotpConfirmation = Static<typeof TotpConfirmation>;

export const RecoveryCodes = Type.Object({
  recovery_codes: Type.Array(Type.String({ maxLength: 100 }), { minItems: 10, maxItems: 10 }),
});
export type RecoveryCodes = Static<typeof RecoveryCodes>;

export const SecondFactorProof = Type.Object({
  current_password: Type.String({ format: 'password', minLength: 1, maxLength: 128 }),
  otp: Type.String({ minLength: 1, maxLength: 100 }),
});
export type SecondFactorProof = Static<typeof SecondFactorProof>;

export const OidcStart = Type.Object({
  redirect_uri: Type.String({ minLength: 1, maxLength: 1000 }),
  current_password: Type.Optional(Type.String({ format: 'password', minLength: 1, maxLength: 128 })),
});
export type OidcStart = Static<typeof OidcStart>;

export const OidcSignInUrl = Type.Object({
  authorization_url: Type.String({ maxLength: 10000 }),
  state: Type.String({ maxLength: 4000 }),
});
export type OidcSignInUrl = Static<typeof OidcSignInUrl>;

export const OidcCallback = Type.Object({
  code: Type.String({ minLength: 1, maxLength: 4000 }),
  state: Type.String({ minLength: 1, maxLength: 4000 }),
  otp: Type.Optional(Type.String({ maxLength: 100 })),
});
export type OidcCallback = Static<typeof OidcCallback>;

export const Identity = Type.Object({
  id: Id,
  issuer: Type.String({ maxLength: 500 }),
  subject: Type.String({ maxLength: 255 }),
  linked_at: Timestamp,
  last_used_at: Type.Unsafe<string | null>({ type: ['string', 'null'], format: 'date-time' }),
});
export type Identity = Static<typeof Identity>;

export const IdentityList = Type.Array(Identity, { maxItems: 1000 });
export type IdentityList = Static<typeof IdentityList>;

export const Profile = Type.Object({
  id: Id,
  user: User,
  bio: Type.String({ maxLength: 2000 }),
  address: Type.String({ maxLength: 255 }),
  date_of_birth: Type.Unsafe<string | null>({ type: ['string', 'null'], format: 'date', maxLength: 10 }),
  profile_picture: Type.Unsafe<string | null>({ type: ['string', 'null'], maxLength: 2000 }),
  created_at: Timestamp,
  updated_at: Timestamp,
});
export type Profile = Static<typeof Profile>;

export const ProfilePage = Type.Object({
  count: Count,
  next: PageLink,
  previous: PageLink,
  results: Type.Array(Profile, { maxItems: 1000 }),
});
export type ProfilePage = Static<typeof ProfilePage>;

export const DateOfBirth = Type.Unsafe<string | null>({
  type: ['string', 'null'],
  format: 'date',
  maxLength: 10,
  'x-not-before': '1850-01-01',
  'x-not-in-future': true,
});
export type DateOfBirth = Static<typeof DateOfBirth>;

export const PrivatePictureUpload = Type.Unsafe<string | null>({ format: 'binary', 'x-visibility': 'signed' });
export type PrivatePictureUpload = Static<typeof PrivatePictureUpload>;

export const ProfileInput = Type.Object({
  username: Type.Optional(Username),
  email: Type.Optional(Email),
  first_name: Type.Optional(PersonName),
  last_name: Type.Optional(PersonName),
  bio: Type.Optional(Type.String({ maxLength: 2000 })),
  address: Type.Optional(Type.String({ maxLength: 255 })),
  date_of_birth: Type.Optional(DateOfBirth),
  profile_picture: Type.Optional(PrivatePictureUpload),
});
export type ProfileInput = Static<typeof ProfileInput>;

export const ProfilePatch = Type.Object({
  username: Type.Optional(Username),
  email: Type.Optional(Email),
  first_name: Type.Optional(PersonName),
  last_name: Type.Optional(PersonName),
  bio: Type.Optional(Type.String({ maxLength: 2000 })),
  address: Type.Optional(Type.String({ maxLength: 255 })),
  date_of_birth: Type.Optional(DateOfBirth),
  profile_picture: Type.Optional(PrivatePictureUpload),
});
export type ProfilePatch = Static<typeof ProfilePatch>;

export const Phone = Type.String({
  minLength: 3,
  maxLength: 20,
  pattern: '^[ +().-]*[0-9][0-9 +().-]*$',
  'x-text': 'phone',
  'x-pattern-message': 'may contain only digits, spaces and + - ( ) . and needs a digit',
});
export type Phone = Static<typeof Phone>;

export const Patient = Type.Object({
  id: Id,
  user: Type.String({ maxLength: 150 }),
  profile: Type.Unsafe<string | null>({ type: ['string', 'null'], maxLength: 2000 }),
  phone: Type.Unsafe<string | null>({ type: ['string', 'null'], maxLength: 20 }),
  name: Type.String({ maxLength: 301 }),
  email: Type.Unsafe<string | null>({ type: ['string', 'null'], maxLength: 254 }),
  date_of_birth: Type.Unsafe<string | null>({ type: ['string', 'null'], format: 'date', maxLength: 10 }),
  managed_by: Type.Unsafe<number | null>({
    type: ['integer', 'null'],
    format: 'int64',
    minimum: 1,
    maximum: 9007199254740991,
  }),
});
export type Patient = Static<typeof Patient>;

export const PatientPage = Type.Object({
  count: Count,
  next: PageLink,
  previous: PageLink,
  results: Type.Array(Patient, { maxItems: 1000 }),
});
export type PatientPage = Static<typeof PatientPage>;

export const PatientPhone = Type.Unsafe<string | null>({
  type: ['string', 'null'],
  minLength: 3,
  maxLength: 20,
  pattern: '^[ +().-]*[0-9][0-9 +().-]*$',
  'x-text': 'phone',
  'x-pattern-message': 'may contain only digits, spaces and + - ( ) . and needs a digit',
});
export type PatientPhone = Static<typeof PatientPhone>;

export const PatientEmail = Type.Unsafe<string | null>({
  type: ['string', 'null'],
  format: 'email',
  maxLength: 254,
  'x-text': 'word',
});
export type PatientEmail = Static<typeof PatientEmail>;

export const NamedUser = Type.Unknown({ 'x-client-type': 'integer' });
export type NamedUser = Static<typeof NamedUser>;

export const PatientInput = Type.Object({
  profile: Type.Optional(PrivatePictureUpload),
  phone: Type.Optional(PatientPhone),
  first_name: Type.Optional(PersonName),
  last_name: Type.Optional(PersonName),
  email: Type.Optional(PatientEmail),
  date_of_birth: Type.Optional(DateOfBirth),
  user: Type.Optional(NamedUser),
});
export type PatientInput = Static<typeof PatientInput>;

export const Access = Type.Object({
  at: Timestamp,
  action: Type.String({ maxLength: 40 }),
  resource: Type.String({ maxLength: 40 }),
  records: Type.Array(Id, {}),
  actor: Type.Unsafe<'staff' | 'doctor' | 'user' | 'service' | 'anonymous' | 'system' | 'database'>({
    type: 'string',
    enum: ['staff', 'doctor', 'user', 'service', 'anonymous', 'system', 'database'],
    maxLength: 9,
    'x-enum-varnames': ['STAFF', 'DOCTOR', 'USER', 'SERVICE', 'ANONYMOUS', 'SYSTEM', 'DATABASE'],
  }),
  actor_name: Type.Unsafe<string | null>({ type: ['string', 'null'], maxLength: 301 }),
});
export type Access = Static<typeof Access>;

export const AccessPage = Type.Object({ next: PageLink, results: Type.Array(Access, { maxItems: 1000 }) });
export type AccessPage = Static<typeof AccessPage>;

export const PatientList = Type.Array(Patient, { maxItems: 20 });
export type PatientList = Static<typeof PatientList>;

export const FirstName = Type.String({ minLength: 1, maxLength: 150, 'x-text': 'name' });
export type FirstName = Static<typeof FirstName>;

export const LastName = Type.String({ minLength: 1, maxLength: 150, 'x-text': 'name' });
export type LastName = Static<typeof LastName>;

export const BirthDate = Type.String({
  format: 'date',
  maxLength: 10,
  'x-not-before': '1850-01-01',
  'x-not-in-future': true,
});
export type BirthDate = Static<typeof BirthDate>;

export const DependantInput = Type.Object({
  first_name: FirstName,
  last_name: LastName,
  date_of_birth: BirthDate,
  profile: Type.Optional(PrivatePictureUpload),
  phone: Type.Optional(PatientPhone),
});
export type DependantInput = Static<typeof DependantInput>;

export const ManagerId = Type.Unsafe<number | null>({
  type: ['integer', 'null'],
  format: 'int64',
  minimum: 1,
  maximum: 9007199254740991,
});
export type ManagerId = Static<typeof ManagerId>;

export const PatientPatch = Type.Object({
  profile: Type.Optional(PrivatePictureUpload),
  phone: Type.Optional(PatientPhone),
  first_name: Type.Optional(PersonName),
  last_name: Type.Optional(PersonName),
  email: Type.Optional(PatientEmail),
  date_of_birth: Type.Optional(DateOfBirth),
  managed_by: Type.Optional(ManagerId),
});
export type PatientPatch = Static<typeof PatientPatch>;

export const Invitation = Type.Object({ token: InvitationToken, expires_at: Timestamp });
export type Invitation = Static<typeof Invitation>;

export const ErasureInput = Type.Object({ reason: Type.String({ minLength: 1, maxLength: 500 }) });
export type ErasureInput = Static<typeof ErasureInput>;

export const Erasure = Type.Object({
  patient: Id,
  user: Type.Unsafe<number | null>({
    type: ['integer', 'null'],
    format: 'int64',
    minimum: 1,
    maximum: 9007199254740991,
  }),
  cancelled_appointments: Count,
  kept_appointments: Count,
  records: Count,
  profiles: Count,
  doctors: Count,
  pictures: Count,
  reviews: Count,
  contacts: Count,
  waiting_entries: Count,
  holds: Count,
  sessions: Count,
  invitations: Count,
  stored_answers: Count,
});
export type Erasure = Static<typeof Erasure>;

export const ExportedProfile = Type.Object({
  id: Id,
  bio: Type.String({ maxLength: 2000 }),
  address: Type.String({ maxLength: 255 }),
  date_of_birth: Type.Unsafe<string | null>({ type: ['string', 'null'], format: 'date', maxLength: 10 }),
  picture: Type.Unsafe<string | null>({ type: ['string', 'null'], maxLength: 60 }),
  created_at: Timestamp,
  updated_at: Timestamp,
});
export type ExportedProfile = Static<typeof ExportedProfile>;

export const ExportedRecord = Type.Object({
  id: Id,
  name: Type.String({ maxLength: 301 }),
  email: Type.Unsafe<string | null>({ type: ['string', 'null'], maxLength: 254 }),
  phone: Type.Unsafe<string | null>({ type: ['string', 'null'], maxLength: 20 }),
  date_of_birth: Type.Unsafe<string | null>({ type: ['string', 'null'], format: 'date', maxLength: 10 }),
  managed_by: Type.Unsafe<number | null>({
    type: ['integer', 'null'],
    format: 'int64',
    minimum: 1,
    maximum: 9007199254740991,
  }),
  picture: Type.Unsafe<string | null>({ type: ['string', 'null'], maxLength: 60 }),
  created_at: Timestamp,
  archived_at: Type.Unsafe<string | null>({ type: ['string', 'null'], format: 'date-time', maxLength: 35 }),
});
export type ExportedRecord = Static<typeof ExportedRecord>;

export const ExportedDoctor = Type.Object({
  id: Id,
  designation: Type.Array(Type.String({ maxLength: 50 }), { maxItems: 100000 }),
  specialisation: Type.Array(Type.String({ maxLength: 50 }), { maxItems: 100000 }),
  available_time: Type.Array(Id, { maxItems: 100000 }),
  fee: Type.Integer({ format: 'int32', minimum: 0 }),
  meet_link: Type.String({ maxLength: 250 }),
  is_approved: Type.Boolean(),
  picture: Type.Unsafe<string | null>({ type: ['string', 'null'], maxLength: 60 }),
  created_at: Timestamp,
  archived_at: Type.Unsafe<string | null>({ type: ['string', 'null'], format: 'date-time', maxLength: 35 }),
});
export type ExportedDoctor = Static<typeof ExportedDoctor>;

export const DayOrMoment = Type.String({
  maxLength: 35,
  pattern: '^[0-9]{4}-[0-9]{2}-[0-9]{2}([Tt ][0-9:.]+([Zz]|[+-][0-9]{2}:[0-9]{2}))?$',
  'x-pattern-message': 'must be a calendar date (YYYY-MM-DD) or a time (RFC 3339)',
  'x-day-or-moment': true,
});
export type DayOrMoment = Static<typeof DayOrMoment>;

export const TimeOff = Type.Object({
  id: Id,
  doctor: Type.Unsafe<number | null>({ type: ['integer', 'null'], format: 'int64' }),
  from: DayOrMoment,
  to: DayOrMoment,
  reason: Type.String({ maxLength: 500 }),
  created_at: Timestamp,
});
export type TimeOff = Static<typeof TimeOff>;

export const AppointmentType = Type.Unsafe<'Online' | 'Offline'>({
  type: 'string',
  enum: ['Online', 'Offline'],
  maxLength: 7,
});
export type AppointmentType = Static<typeof AppointmentType>;

export const AppointmentStatus = Type.Unsafe<'Pendding' | 'Runing' | 'Complated'>({
  type: 'string',
  enum: ['Pendding', 'Runing', 'Complated'],
  maxLength: 9,
  'x-enum-varnames': ['Pending', 'Running', 'Completed'],
});
export type AppointmentStatus = Static<typeof AppointmentStatus>;

export const CancelCode = Type.Unsafe<'patient' | 'doctor' | 'clinic' | 'no_contact' | 'other'>({
  type: 'string',
  enum: ['patient', 'doctor', 'clinic', 'no_contact', 'other'],
  maxLength: 10,
});
export type CancelCode = Static<typeof CancelCode>;

export const CancelReason = nullable(Type.Object({ code: CancelCode, text: Type.String({ maxLength: 500 }) }));
export type CancelReason = Static<typeof CancelReason>;

export const Attendance = Type.Unsafe<'arrived' | 'no_show' | null>({
  type: ['string', 'null'],
  enum: ['arrived', 'no_show', null],
  maxLength: 7,
});
export type Attendance = Static<typeof Attendance>;

export const CalendarDate = Type.String({ format: 'date', maxLength: 10 });
export type CalendarDate = Static<typeof CalendarDate>;

export const SlotMoment = Type.Unsafe<string | null>({ type: ['string', 'null'], format: 'date-time', maxLength: 35 });
export type SlotMoment = Static<typeof SlotMoment>;

export const Appointment = Type.Object({
  id: Id,
  patient: Id,
  doctor: Id,
  appointment_type: AppointmentType,
  appointment_status: AppointmentStatus,
  symptoms: Type.String({ maxLength: 2000 }),
  time: Id,
  cancel: Type.Boolean(),
  cancel_reason: CancelReason,
  attendance: Attendance,
  is_overbooked: Type.Boolean(),
  date: CalendarDate,
  start: SlotMoment,
  end: SlotMoment,
  label: Type.String({ maxLength: 50 }),
  doctor_name: Type.String({ maxLength: 301 }),
  patient_name: Type.String({ maxLength: 301 }),
  created_at: Timestamp,
  updated_at: Timestamp,
  series: Type.Unsafe<number | null>({ type: ['integer', 'null'], format: 'int64' }),
});
export type Appointment = Static<typeof Appointment>;

export const ChangeLabel = Type.Unsafe<string | null>({ type: ['string', 'null'], maxLength: 301 });
export type ChangeLabel = Static<typeof ChangeLabel>;

export const AppointmentEvent = Type.Object({
  id: Id,
  changed_at: Timestamp,
  changed_by: Type.Unsafe<string | null>({ type: ['string', 'null'], maxLength: 150 }),
  field: Type.String({ maxLength: 20 }),
  from: Type.String({ maxLength: 2000 }),
  to: Type.String({ maxLength: 2000 }),
  from_label: ChangeLabel,
  to_label: ChangeLabel,
});
export type AppointmentEvent = Static<typeof AppointmentEvent>;

export const ExportedAppointment = Type.Object({
  appointment: Appointment,
  archived_at: Type.Unsafe<string | null>({ type: ['string', 'null'], format: 'date-time', maxLength: 35 }),
  changes: Type.Array(AppointmentEvent, { maxItems: 100000 }),
});
export type ExportedAppointment = Static<typeof ExportedAppointment>;

export const ExportedWaitingEntry = Type.Object({
  id: Id,
  patient: Id,
  doctor: Type.Unsafe<number | null>({
    type: ['integer', 'null'],
    format: 'int64',
    minimum: 1,
    maximum: 9007199254740991,
  }),
  specialisation: Type.Unsafe<number | null>({
    type: ['integer', 'null'],
    format: 'int64',
    minimum: 1,
    maximum: 9007199254740991,
  }),
  from: CalendarDate,
  to: CalendarDate,
  times: Type.Array(Id, { maxItems: 100000 }),
  created_at: Timestamp,
});
export type ExportedWaitingEntry = Static<typeof ExportedWaitingEntry>;

export const ExportedHold = Type.Object({
  doctor: Id,
  time: Id,
  date: CalendarDate,
  expires_at: Timestamp,
  created_at: Timestamp,
});
export type ExportedHold = Static<typeof ExportedHold>;

export const ExportedReview = Type.Object({
  id: Id,
  doctor: Id,
  doctor_name: Type.String({ maxLength: 301 }),
  body: Type.String({ maxLength: 2000 }),
  rating: Type.Integer({ format: 'int32', minimum: 1, maximum: 5 }),
  created_on: CalendarDate,
});
export type ExportedReview = Static<typeof ExportedReview>;

export const Contact = Type.Object({
  id: Id,
  name: Type.String({ maxLength: 50 }),
  phone: Type.String({ maxLength: 20 }),
  massage: Type.String({ maxLength: 5000 }),
});
export type Contact = Static<typeof Contact>;

export const ExportedSession = Type.Object({
  id: Id,
  created_at: Timestamp,
  refreshed_at: Type.Unsafe<string | null>({ type: ['string', 'null'], format: 'date-time', maxLength: 35 }),
  expires_at: Timestamp,
  address: Type.Unsafe<string | null>({ type: ['string', 'null'], maxLength: 64 }),
  user_agent: Type.Unsafe<string | null>({ type: ['string', 'null'], maxLength: 200 }),
});
export type ExportedSession = Static<typeof ExportedSession>;

export const ExportedInvitation = Type.Object({ patient: Id, created_at: Timestamp, expires_at: Timestamp });
export type ExportedInvitation = Static<typeof ExportedInvitation>;

export const ExportedPasswordReset = Type.Object({ created_at: Timestamp, expires_at: Timestamp });
export type ExportedPasswordReset = Static<typeof ExportedPasswordReset>;

export const ExportedSecondFactor = Type.Object({
  created_at: Timestamp,
  confirmed_at: Type.Unsafe<string | null>({ type: ['string', 'null'], format: 'date-time', maxLength: 35 }),
});
export type ExportedSecondFactor = Static<typeof ExportedSecondFactor>;

export const ExportedAnswer = Type.Object({
  key: Type.String({ maxLength: 255 }),
  status: Type.Unsafe<number | null>({ type: ['integer', 'null'], format: 'int32', minimum: 100, maximum: 599 }),
  answer: Type.Unsafe<string | null>({ type: ['string', 'null'], maxLength: 300000 }),
  created_at: Timestamp,
});
export type ExportedAnswer = Static<typeof ExportedAnswer>;

export const AuditOutcome = Type.Unsafe<'stored' | 'answered' | 'refused' | 'failed'>({
  type: 'string',
  enum: ['stored', 'answered', 'refused', 'failed'],
  maxLength: 8,
  'x-enum-varnames': ['STORED', 'ANSWERED', 'REFUSED', 'FAILED'],
});
export type AuditOutcome = Static<typeof AuditOutcome>;

export const ExportedActivity = Type.Object({
  at: Timestamp,
  operation: Type.Unsafe<string | null>({ type: ['string', 'null'], maxLength: 100 }),
  action: Type.String({ maxLength: 40 }),
  resource: Type.String({ maxLength: 40 }),
  address: Type.Unsafe<string | null>({ type: ['string', 'null'], maxLength: 100 }),
  outcome: AuditOutcome,
});
export type ExportedActivity = Static<typeof ExportedActivity>;

export const PatientExport = Type.Object({
  exported_at: Timestamp,
  users: Type.Array(User, { maxItems: 1 }),
  profiles: Type.Array(ExportedProfile, { maxItems: 1 }),
  records: Type.Array(ExportedRecord, { maxItems: 100000 }),
  manages: Type.Array(Id, { maxItems: 100000 }),
  doctors: Type.Array(ExportedDoctor, { maxItems: 100000 }),
  time_off: Type.Array(TimeOff, { maxItems: 100000 }),
  appointments: Type.Array(ExportedAppointment, { maxItems: 100000 }),
  waiting_list: Type.Array(ExportedWaitingEntry, { maxItems: 100000 }),
  holds: Type.Array(ExportedHold, { maxItems: 100000 }),
  reviews: Type.Array(ExportedReview, { maxItems: 100000 }),
  contacts: Type.Array(Contact, { maxItems: 100000 }),
  sessions: Type.Array(ExportedSession, { maxItems: 100000 }),
  invitations: Type.Array(ExportedInvitation, { maxItems: 100000 }),
  password_resets: Type.Array(ExportedPasswordReset, { maxItems: 100000 }),
  second_factors: Type.Array(ExportedSecondFactor, { maxItems: 1 }),
  identities: IdentityList,
  stored_answers: Type.Array(ExportedAnswer, { maxItems: 100000 }),
  accesses: Type.Array(Access, { maxItems: 10000 }),
  activity: Type.Array(ExportedActivity, { maxItems: 10000 }),
  pictures: Type.Array(Type.String({ maxLength: 60 }), { maxItems: 100000 }),
});
export type PatientExport = Static<typeof PatientExport>;

export const Rating = Type.Unsafe<'⭐' | '⭐⭐' | '⭐⭐⭐' | '⭐⭐⭐⭐' | '⭐⭐⭐⭐⭐'>({
  type: 'string',
  enum: ['⭐', '⭐⭐', '⭐⭐⭐', '⭐⭐⭐⭐', '⭐⭐⭐⭐⭐'],
  maxLength: 5,
  'x-enum-varnames': ['OneStar', 'TwoStars', 'ThreeStars', 'FourStars', 'FiveStars'],
  'x-enumNames': ['OneStar', 'TwoStars', 'ThreeStars', 'FourStars', 'FiveStars'],
  'x-numbered': true,
  'x-text': 'word',
});
export type Rating = Static<typeof Rating>;

export const Review = Type.Object({
  id: Id,
  reviewer: Type.String({ maxLength: 150 }),
  doctor_name: Type.String({ maxLength: 301 }),
  body: Type.String({ maxLength: 2000 }),
  created_on: Type.String({ format: 'date', maxLength: 10 }),
  rating: Rating,
});
export type Review = Static<typeof Review>;

export const ReviewPage = Type.Object({
  count: Count,
  next: PageLink,
  previous: PageLink,
  results: Type.Array(Review, { maxItems: 1000 }),
});
export type ReviewPage = Static<typeof ReviewPage>;

export const ReviewBody = Type.String({ minLength: 1, maxLength: 2000 });
export type ReviewBody = Static<typeof ReviewBody>;

export const ReviewInput = Type.Object({ doctor: Id, body: ReviewBody, rating: Rating });
export type ReviewInput = Static<typeof ReviewInput>;

export const ReviewPatch = Type.Object({
  doctor: Type.Optional(Id),
  body: Type.Optional(ReviewBody),
  rating: Type.Optional(Rating),
});
export type ReviewPatch = Static<typeof ReviewPatch>;

export const WaitingOffer = nullable(
  Type.Object({
    doctor: Id,
    doctor_name: Type.String({ maxLength: 301 }),
    date: CalendarDate,
    time: Id,
    label: Type.String({ maxLength: 50 }),
    start: SlotMoment,
    end: SlotMoment,
    expires_at: Timestamp,
  }),
);
export type WaitingOffer = Static<typeof WaitingOffer>;

export const WaitingEntry = Type.Object({
  id: Id,
  patient: Id,
  patient_name: Type.String({ maxLength: 301 }),
  doctor: Type.Unsafe<number | null>({ type: ['integer', 'null'], format: 'int64' }),
  doctor_name: Type.Unsafe<string | null>({ type: ['string', 'null'], maxLength: 301 }),
  specialisation: Type.Unsafe<number | null>({ type: ['integer', 'null'], format: 'int64' }),
  specialisation_name: Type.Unsafe<string | null>({ type: ['string', 'null'], maxLength: 100 }),
  from: CalendarDate,
  to: CalendarDate,
  times: Type.Array(Id, { maxItems: 100 }),
  created_at: Timestamp,
  offer: WaitingOffer,
});
export type WaitingEntry = Static<typeof WaitingEntry>;

export const WaitingEntryPage = Type.Object({
  count: Count,
  next: PageLink,
  previous: PageLink,
  results: Type.Array(WaitingEntry, { maxItems: 1000 }),
});
export type WaitingEntryPage = Static<typeof WaitingEntryPage>;

export const WaitingEntryInput = Type.Object({
  doctor: Type.Optional(Id),
  specialisation: Type.Optional(Id),
  from: Type.Optional(CalendarDate),
  to: Type.Optional(CalendarDate),
  times: Type.Optional(Type.Array(Id, { maxItems: 100 })),
  patient: Type.Optional(Id),
});
export type WaitingEntryInput = Static<typeof WaitingEntryInput>;

export const TimeOffPage = Type.Object({
  count: Count,
  next: PageLink,
  previous: PageLink,
  results: Type.Array(TimeOff, { maxItems: 1000 }),
});
export type TimeOffPage = Static<typeof TimeOffPage>;

export const Displace = Type.Unsafe<'refuse' | 'cancel' | 'keep'>({
  type: 'string',
  enum: ['refuse', 'cancel', 'keep'],
  maxLength: 6,
});
export type Displace = Static<typeof Displace>;

export const TimeOffInput = Type.Object({
  doctor: Type.Unsafe<number | null>({
    type: ['integer', 'null'],
    format: 'int64',
    minimum: 1,
    maximum: 9007199254740991,
  }),
  from: DayOrMoment,
  to: DayOrMoment,
  reason: Type.Optional(Type.String({ maxLength: 500 })),
  displace: Type.Optional(Displace),
});
export type TimeOffInput = Static<typeof TimeOffInput>;

export const DisplacedAppointment = Type.Object({
  id: Id,
  doctor: Id,
  patient: Id,
  patient_name: Type.String({ maxLength: 301 }),
  date: CalendarDate,
  time: Id,
  label: Type.String({ maxLength: 50 }),
});
export type DisplacedAppointment = Static<typeof DisplacedAppointment>;

export const DisplacedAppointments = Type.Object({
  displaced: Count,
  appointments: Type.Array(DisplacedAppointment, { maxItems: 1000 }),
});
export type DisplacedAppointments = Static<typeof DisplacedAppointments>;

export const NewTimeOff = Type.Object({
  id: Id,
  doctor: Type.Unsafe<number | null>({ type: ['integer', 'null'], format: 'int64' }),
  from: DayOrMoment,
  to: DayOrMoment,
  reason: Type.String({ maxLength: 500 }),
  created_at: Timestamp,
  displaced: Count,
  appointments: Type.Array(DisplacedAppointment, { maxItems: 1000 }),
});
export type NewTimeOff = Static<typeof NewTimeOff>;

export const Service = Type.Object({
  id: Id,
  image: Type.Unsafe<string | null>({ type: ['string', 'null'], maxLength: 2000 }),
  name: Type.String({ maxLength: 50 }),
  description: Type.String({ maxLength: 5000 }),
});
export type Service = Static<typeof Service>;

export const ServiceList = Type.Array(Service, { maxItems: 1000 });
export type ServiceList = Static<typeof ServiceList>;

export const PictureUpload = Type.Unsafe<string | null>({ format: 'binary' });
export type PictureUpload = Static<typeof PictureUpload>;

export const LookupName = Type.String({ minLength: 1, maxLength: 50 });
export type LookupName = Static<typeof LookupName>;

export const ServiceDescription = Type.String({ minLength: 1, maxLength: 5000 });
export type ServiceDescription = Static<typeof ServiceDescription>;

export const ServiceCreate = Type.Object({ image: PictureUpload, name: LookupName, description: ServiceDescription });
export type ServiceCreate = Static<typeof ServiceCreate>;

export const ServiceInput = Type.Object({
  image: Type.Optional(PictureUpload),
  name: LookupName,
  description: ServiceDescription,
});
export type ServiceInput = Static<typeof ServiceInput>;

export const ServicePatch = Type.Object({
  image: Type.Optional(PictureUpload),
  name: Type.Optional(LookupName),
  description: Type.Optional(ServiceDescription),
});
export type ServicePatch = Static<typeof ServicePatch>;

export const ContactList = Type.Array(Contact, { maxItems: 1000 });
export type ContactList = Static<typeof ContactList>;

export const ContactMessage = Type.String({ minLength: 1, maxLength: 5000 });
export type ContactMessage = Static<typeof ContactMessage>;

export const ContactInput = Type.Object({ name: LookupName, phone: Phone, massage: ContactMessage });
export type ContactInput = Static<typeof ContactInput>;

export const ContactPatch = Type.Object({
  name: Type.Optional(LookupName),
  phone: Type.Optional(Phone),
  massage: Type.Optional(ContactMessage),
});
export type ContactPatch = Static<typeof ContactPatch>;

export const Fee = Type.Integer({ format: 'int32', minimum: 0, maximum: 10000000 });
export type Fee = Static<typeof Fee>;

export const Doctor = Type.Object({
  id: Id,
  user: Type.String({ maxLength: 301 }),
  profile: Type.Unsafe<string | null>({ type: ['string', 'null'], maxLength: 2000 }),
  designation: Type.Array(Type.String({ maxLength: 50 }), { maxItems: 100 }),
  specialisation: Type.Array(Type.String({ maxLength: 50 }), { maxItems: 100 }),
  available_time: Type.Array(Id, { maxItems: 100 }),
  fee: Fee,
  meet_link: Type.String({ maxLength: 250 }),
  user_id: Type.Optional(Id),
  is_approved: Type.Optional(Type.Boolean()),
});
export type Doctor = Static<typeof Doctor>;

export const DoctorPage = Type.Object({
  count: Count,
  next: PageLink,
  previous: PageLink,
  results: Type.Array(Doctor, { maxItems: 1000 }),
});
export type DoctorPage = Static<typeof DoctorPage>;

export const IdList = Type.Array(Id, { maxItems: 100 });
export type IdList = Static<typeof IdList>;

export const MeetLink = Type.String({
  maxLength: 250,
  pattern: '^(https?://[^\\s]+)?$',
  'x-pattern-message': 'must be an http or https URL, or empty',
});
export type MeetLink = Static<typeof MeetLink>;

export const DoctorInput = Type.Object({
  profile: Type.Optional(PictureUpload),
  designation: Type.Optional(IdList),
  specialisation: Type.Optional(IdList),
  available_time: Type.Optional(IdList),
  fee: Type.Optional(Fee),
  meet_link: Type.Optional(MeetLink),
  user: Type.Optional(NamedUser),
});
export type DoctorInput = Static<typeof DoctorInput>;

export const BookedSlot = Type.Object({ id: Id, date: CalendarDate, time: Id });
export type BookedSlot = Static<typeof BookedSlot>;

export const ChangedDoctor = Type.Object({
  id: Id,
  user: Type.String({ maxLength: 301 }),
  profile: Type.Unsafe<string | null>({ type: ['string', 'null'], maxLength: 2000 }),
  designation: Type.Array(Type.String({ maxLength: 50 }), { maxItems: 100 }),
  specialisation: Type.Array(Type.String({ maxLength: 50 }), { maxItems: 100 }),
  available_time: Type.Array(Id, { maxItems: 100 }),
  fee: Fee,
  meet_link: Type.String({ maxLength: 250 }),
  user_id: Type.Optional(Id),
  still_booked: Type.Array(BookedSlot, { maxItems: 100 }),
  is_approved: Type.Optional(Type.Boolean()),
});
export type ChangedDoctor = Static<typeof ChangedDoctor>;

export const DoctorPatch = Type.Object({
  profile: Type.Optional(PictureUpload),
  designation: Type.Optional(IdList),
  specialisation: Type.Optional(IdList),
  available_time: Type.Optional(IdList),
  fee: Type.Optional(Fee),
  meet_link: Type.Optional(MeetLink),
  is_approved: Type.Optional(Type.Boolean()),
});
export type DoctorPatch = Static<typeof DoctorPatch>;

export const FreeSlot = Type.Object({
  date: CalendarDate,
  time: Id,
  label: Type.String({ maxLength: 50 }),
  start: SlotMoment,
  end: SlotMoment,
});
export type FreeSlot = Static<typeof FreeSlot>;

export const FreeSlotList = Type.Array(FreeSlot, { maxItems: 3100 });
export type FreeSlotList = Static<typeof FreeSlotList>;

export const Weekday = Type.Integer({ minimum: 1, maximum: 7 });
export type Weekday = Static<typeof Weekday>;

export const WorkingHours = Type.Object({
  weekday: Weekday,
  times: Type.Array(Id, { maxItems: 200 }),
  every_weeks: Type.Integer({ minimum: 1, maximum: 8 }),
  starting: CalendarDate,
  until: Type.Unsafe<string | null>({ type: ['string', 'null'], format: 'date', maxLength: 10 }),
});
export type WorkingHours = Static<typeof WorkingHours>;

export const DoctorHours = Type.Object({ hours: Type.Array(WorkingHours, { maxItems: 100 }) });
export type DoctorHours = Static<typeof DoctorHours>;

export const WorkingHoursInput = Type.Object({
  weekday: Weekday,
  times: Type.Array(Id, { minItems: 1, maxItems: 200 }),
  every_weeks: Type.Optional(Type.Integer({ minimum: 1, maximum: 8 })),
  starting: Type.Optional(CalendarDate),
  until: Type.Optional(Type.Unsafe<string | null>({ type: ['string', 'null'], format: 'date', maxLength: 10 })),
});
export type WorkingHoursInput = Static<typeof WorkingHoursInput>;

export const DoctorHoursInput = Type.Object({
  hours: Type.Array(WorkingHoursInput, { maxItems: 100 }),
  displace: Type.Optional(Displace),
});
export type DoctorHoursInput = Static<typeof DoctorHoursInput>;

export const ChangedHours = Type.Object({
  hours: Type.Array(WorkingHours, { maxItems: 100 }),
  displaced: Count,
  appointments: Type.Array(DisplacedAppointment, { maxItems: 1000 }),
});
export type ChangedHours = Static<typeof ChangedHours>;

export const AuditActor = Type.Unsafe<'staff' | 'user' | 'service' | 'anonymous' | 'system' | 'database'>({
  type: 'string',
  enum: ['staff', 'user', 'service', 'anonymous', 'system', 'database'],
  maxLength: 9,
  'x-enum-varnames': ['STAFF', 'USER', 'SERVICE', 'ANONYMOUS', 'SYSTEM', 'DATABASE'],
});
export type AuditActor = Static<typeof AuditActor>;

export const AuditEvent = Type.Object({
  id: Id,
  at: Timestamp,
  actor: AuditActor,
  actor_id: Type.Unsafe<number | null>({
    type: ['integer', 'null'],
    format: 'int64',
    minimum: 1,
    maximum: 9007199254740991,
  }),
  operation: Type.Unsafe<string | null>({ type: ['string', 'null'], maxLength: 100 }),
  action: Type.String({ maxLength: 40 }),
  resource: Type.String({ maxLength: 40 }),
  records: Type.Array(Id, {}),
  address: Type.Unsafe<string | null>({ type: ['string', 'null'], maxLength: 100 }),
  request_id: Type.Unsafe<string | null>({ type: ['string', 'null'], maxLength: 36 }),
  outcome: AuditOutcome,
  status: Type.Unsafe<number | null>({ type: ['integer', 'null'], format: 'int32', minimum: 100, maximum: 599 }),
  total: Type.Integer({ format: 'int32', minimum: 1 }),
});
export type AuditEvent = Static<typeof AuditEvent>;

export const AuditEventPage = Type.Object({ next: PageLink, results: Type.Array(AuditEvent, { maxItems: 1000 }) });
export type AuditEventPage = Static<typeof AuditEventPage>;

export const ServiceScope = Type.Unsafe<
  | 'profiles:read'
  | 'patients:read'
  | 'patients:write'
  | 'doctors:read'
  | 'doctors:write'
  | 'designations:write'
  | 'specialisations:write'
  | 'available-times:write'
  | 'reviews:write'
  | 'appointments:read'
  | 'appointments:write'
  | 'holds:write'
  | 'waiting-list:read'
  | 'waiting-list:write'
  | 'time-off:read'
  | 'time-off:write'
  | 'services:write'
  | 'contacts:read'
  | 'contacts:write'
  | 'audit-events:read'
>({
  type: 'string',
  enum: [
    'profiles:read',
    'patients:read',
    'patients:write',
    'doctors:read',
    'doctors:write',
    'designations:write',
    'specialisations:write',
    'available-times:write',
    'reviews:write',
    'appointments:read',
    'appointments:write',
    'holds:write',
    'waiting-list:read',
    'waiting-list:write',
    'time-off:read',
    'time-off:write',
    'services:write',
    'contacts:read',
    'contacts:write',
    'audit-events:read',
  ],
  maxLength: 40,
  'x-enum-varnames': [
    'PROFILES_READ',
    'PATIENTS_READ',
    'PATIENTS_WRITE',
    'DOCTORS_READ',
    'DOCTORS_WRITE',
    'DESIGNATIONS_WRITE',
    'SPECIALISATIONS_WRITE',
    'AVAILABLE_TIMES_WRITE',
    'REVIEWS_WRITE',
    'APPOINTMENTS_READ',
    'APPOINTMENTS_WRITE',
    'HOLDS_WRITE',
    'WAITING_LIST_READ',
    'WAITING_LIST_WRITE',
    'TIME_OFF_READ',
    'TIME_OFF_WRITE',
    'SERVICES_WRITE',
    'CONTACTS_READ',
    'CONTACTS_WRITE',
    'AUDIT_EVENTS_READ',
  ],
});
export type ServiceScope = Static<typeof ServiceScope>;

export const ServiceScopes = Type.Array(ServiceScope, { minItems: 1, maxItems: 40, uniqueItems: true });
export type ServiceScopes = Static<typeof ServiceScopes>;

export const ServiceKeyExpiry = Type.Unsafe<string | null>({
  type: ['string', 'null'],
  format: 'date-time',
  maxLength: 40,
});
export type ServiceKeyExpiry = Static<typeof ServiceKeyExpiry>;

export const ServiceKeyLimit = Type.Unsafe<number | null>({
  type: ['integer', 'null'],
  format: 'int32',
  minimum: 1,
  maximum: 100000,
});
export type ServiceKeyLimit = Static<typeof ServiceKeyLimit>;

export const ServiceKey = Type.Object({
  id: Id,
  name: Type.String({ maxLength: 50 }),
  scopes: ServiceScopes,
  expires_at: ServiceKeyExpiry,
  limit_per_minute: ServiceKeyLimit,
  last_used_at: Type.Unsafe<string | null>({ type: ['string', 'null'], format: 'date-time' }),
  old_secret_ends_at: Type.Unsafe<string | null>({ type: ['string', 'null'], format: 'date-time' }),
  created_by: Type.String({ maxLength: 150 }),
  created_at: Timestamp,
});
export type ServiceKey = Static<typeof ServiceKey>;

export const ServiceKeyPage = Type.Object({
  count: Count,
  next: PageLink,
  previous: PageLink,
  results: Type.Array(ServiceKey, { maxItems: 1000 }),
});
export type ServiceKeyPage = Static<typeof ServiceKeyPage>;

export const ServiceKeyName = Type.String({ minLength: 1, maxLength: 50 });
export type ServiceKeyName = Static<typeof ServiceKeyName>;

export const ServiceKeyInput = Type.Object({
  name: ServiceKeyName,
  scopes: ServiceScopes,
  expires_at: Type.Optional(ServiceKeyExpiry),
  limit_per_minute: Type.Optional(ServiceKeyLimit),
});
export type ServiceKeyInput = Static<typeof ServiceKeyInput>;

export const NewServiceKey = Type.Object({
  id: Id,
  name: Type.String({ maxLength: 50 }),
  scopes: ServiceScopes,
  expires_at: ServiceKeyExpiry,
  limit_per_minute: ServiceKeyLimit,
  last_used_at: Type.Unsafe<string | null>({ type: ['string', 'null'], format: 'date-time' }),
  old_secret_ends_at: Type.Unsafe<string | null>({ type: ['string', 'null'], format: 'date-time' }),
  created_by: Type.String({ maxLength: 150 }),
  created_at: Timestamp,
  secret: Type.String({ maxLength: 100 }),
});
export type NewServiceKey = Static<typeof NewServiceKey>;

export const ServiceKeyPatch = Type.Object({
  name: Type.Optional(ServiceKeyName),
  scopes: Type.Optional(ServiceScopes),
  expires_at: Type.Optional(ServiceKeyExpiry),
  limit_per_minute: Type.Optional(ServiceKeyLimit),
});
export type ServiceKeyPatch = Static<typeof ServiceKeyPatch>;

export const Rotation = Type.Object({
  old_ends_in: Type.Optional(Type.Integer({ format: 'int32', minimum: 0, maximum: 2592000, default: 86400 })),
});
export type Rotation = Static<typeof Rotation>;

export const Closure = Type.Object({ from: DayOrMoment, to: DayOrMoment });
export type Closure = Static<typeof Closure>;

export const Clinic = Type.Object({
  name: Type.String({ maxLength: 150 }),
  time_zone: Type.String({ maxLength: 100 }),
  slot_minutes: Type.Integer({ minimum: 1, maximum: 1440 }),
  booking_horizon_days: Type.Integer({ minimum: 1, maximum: 3650 }),
  booking_notice_seconds: Type.Integer({ minimum: 0, maximum: 2592000 }),
  change_notice_seconds: Type.Integer({ minimum: 0, maximum: 2592000 }),
  closures: Type.Array(Closure, { maxItems: 100 }),
  today: CalendarDate,
  clock: Type.String({ maxLength: 5, pattern: '^([01][0-9]|2[0-3]):[0-5][0-9]$' }),
  now: Timestamp,
  max_open_bookings: Type.Integer({ minimum: 1, maximum: 1000000 }),
  max_open_bookings_per_doctor: Type.Integer({ minimum: 1, maximum: 1000000 }),
});
export type Clinic = Static<typeof Clinic>;

export const DoctorSlot = Type.Object({
  doctor: Id,
  doctor_name: Type.String({ maxLength: 301 }),
  fee: Fee,
  date: CalendarDate,
  time: Id,
  label: Type.String({ maxLength: 50 }),
  start: SlotMoment,
  end: SlotMoment,
});
export type DoctorSlot = Static<typeof DoctorSlot>;

export const DoctorSlotPage = Type.Object({
  count: Count,
  next: PageLink,
  previous: PageLink,
  results: Type.Array(DoctorSlot, { maxItems: 1000 }),
});
export type DoctorSlotPage = Static<typeof DoctorSlotPage>;

export const AppointmentPage = Type.Object({
  count: Count,
  next: PageLink,
  previous: PageLink,
  results: Type.Array(Appointment, { maxItems: 1000 }),
});
export type AppointmentPage = Static<typeof AppointmentPage>;

export const Symptoms = Type.String({ minLength: 1, maxLength: 2000 });
export type Symptoms = Static<typeof Symptoms>;

export const CancelReasonInput = nullable(
  Type.Object({ code: Type.Optional(CancelCode), text: Type.Optional(Type.String({ maxLength: 500 })) }),
);
export type CancelReasonInput = Static<typeof CancelReasonInput>;

export const AppointmentStatusInput = Type.Unknown();
export type AppointmentStatusInput = Static<typeof AppointmentStatusInput>;

export const AppointmentInput = Type.Object({
  doctor: Type.Optional(Id),
  appointment_type: AppointmentType,
  symptoms: Symptoms,
  time: Type.Optional(Id),
  cancel: Type.Optional(Type.Boolean()),
  cancel_reason: Type.Optional(CancelReasonInput),
  attendance: Type.Optional(Attendance),
  date: Type.Optional(CalendarDate),
  patient: Type.Optional(Id),
  appointment_status: Type.Optional(AppointmentStatusInput),
  hold: Type.Optional(Type.String({ minLength: 1, maxLength: 100, 'x-in-place-of': ['doctor', 'time'] })),
  overbook: Type.Optional(Type.Boolean()),
});
export type AppointmentInput = Static<typeof AppointmentInput>;

export const AppointmentPatch = Type.Object({
  doctor: Type.Optional(Id),
  appointment_type: Type.Optional(AppointmentType),
  symptoms: Type.Optional(Symptoms),
  time: Type.Optional(Id),
  cancel: Type.Optional(Type.Boolean()),
  cancel_reason: Type.Optional(CancelReasonInput),
  attendance: Type.Optional(Attendance),
  date: Type.Optional(CalendarDate),
  patient: Type.Optional(Id),
  appointment_status: Type.Optional(AppointmentStatusInput),
  hold: Type.Optional(Type.String({ minLength: 1, maxLength: 100 })),
  overbook: Type.Optional(Type.Boolean()),
});
export type AppointmentPatch = Static<typeof AppointmentPatch>;

export const AppointmentChange = Type.Object({
  id: Id,
  changed_at: Timestamp,
  changed_by: Type.Unsafe<string | null>({ type: ['string', 'null'], maxLength: 150 }),
  field: Type.Unsafe<'doctor' | 'date' | 'time' | 'appointment_status' | 'cancel'>({
    type: 'string',
    enum: ['doctor', 'date', 'time', 'appointment_status', 'cancel'],
    maxLength: 20,
  }),
  from: Type.String({ maxLength: 30 }),
  to: Type.String({ maxLength: 30 }),
  from_label: ChangeLabel,
  to_label: ChangeLabel,
});
export type AppointmentChange = Static<typeof AppointmentChange>;

export const AppointmentChangePage = Type.Object({
  count: Count,
  next: PageLink,
  previous: PageLink,
  results: Type.Array(AppointmentChange, { maxItems: 1000 }),
});
export type AppointmentChangePage = Static<typeof AppointmentChangePage>;

export const AppointmentEventPage = Type.Object({
  count: Count,
  next: PageLink,
  previous: PageLink,
  results: Type.Array(AppointmentEvent, { maxItems: 1000 }),
});
export type AppointmentEventPage = Static<typeof AppointmentEventPage>;

export const AppointmentSeriesInput = Type.Object({
  doctor: Id,
  time: Id,
  date: Type.Optional(CalendarDate),
  count: Type.Integer({ format: 'int32', minimum: 2, maximum: 26 }),
  every_weeks: Type.Optional(Type.Integer({ format: 'int32', minimum: 1, maximum: 8 })),
  appointment_type: AppointmentType,
  symptoms: Symptoms,
  patient: Type.Optional(Id),
  skip_taken: Type.Optional(Type.Boolean()),
});
export type AppointmentSeriesInput = Static<typeof AppointmentSeriesInput>;

export const SkippedDate = Type.Object({
  date: CalendarDate,
  reason: Type.Unsafe<'taken' | 'closed' | 'away' | 'not_working' | 'no_such_time'>({
    type: 'string',
    enum: ['taken', 'closed', 'away', 'not_working', 'no_such_time'],
    maxLength: 12,
  }),
});
export type SkippedDate = Static<typeof SkippedDate>;

export const NewAppointmentSeries = Type.Object({
  id: Id,
  appointments: Type.Array(Appointment, { maxItems: 26 }),
  skipped: Type.Array(SkippedDate, { maxItems: 26 }),
});
export type NewAppointmentSeries = Static<typeof NewAppointmentSeries>;

export const AppointmentSeries = Type.Object({ id: Id, appointments: Type.Array(Appointment, { maxItems: 26 }) });
export type AppointmentSeries = Static<typeof AppointmentSeries>;

export const AppointmentSeriesPatch = Type.Object({
  cancel: Type.Boolean(),
  from: Type.Optional(CalendarDate),
  cancel_reason: Type.Optional(CancelReasonInput),
});
export type AppointmentSeriesPatch = Static<typeof AppointmentSeriesPatch>;

export const KeptAppointment = Type.Object({ id: Id, date: CalendarDate, detail: Type.String({ maxLength: 1000 }) });
export type KeptAppointment = Static<typeof KeptAppointment>;

export const ChangedAppointmentSeries = Type.Object({
  id: Id,
  appointments: Type.Array(Appointment, { maxItems: 26 }),
  cancelled: Count,
  kept: Type.Array(KeptAppointment, { maxItems: 26 }),
});
export type ChangedAppointmentSeries = Static<typeof ChangedAppointmentSeries>;

export const AgendaKind = Type.Unsafe<'appointment' | 'free' | 'leave' | 'closure'>({
  type: 'string',
  enum: ['appointment', 'free', 'leave', 'closure'],
  maxLength: 11,
});
export type AgendaKind = Static<typeof AgendaKind>;

export const AgendaEntry = Type.Object({
  kind: AgendaKind,
  id: Type.Unsafe<number | null>({ type: ['integer', 'null'], format: 'int64' }),
  start: SlotMoment,
  end: SlotMoment,
  time: Type.Unsafe<number | null>({ type: ['integer', 'null'], format: 'int64' }),
  label: Type.Unsafe<string | null>({ type: ['string', 'null'], maxLength: 50 }),
  patient: Type.Unsafe<number | null>({ type: ['integer', 'null'], format: 'int64' }),
  patient_name: Type.Unsafe<string | null>({ type: ['string', 'null'], maxLength: 301 }),
  phone: Type.Unsafe<string | null>({ type: ['string', 'null'], maxLength: 20 }),
  appointment_type: Type.Unsafe<'Online' | 'Offline' | null>({
    type: ['string', 'null'],
    enum: ['Online', 'Offline', null],
    maxLength: 7,
  }),
  appointment_status: Type.Unsafe<'Pendding' | 'Runing' | 'Complated' | null>({
    type: ['string', 'null'],
    enum: ['Pendding', 'Runing', 'Complated', null],
    maxLength: 9,
  }),
  attendance: Attendance,
  symptoms: Type.Unsafe<string | null>({ type: ['string', 'null'], maxLength: 2000 }),
  from: Type.Unsafe<string | null>({ type: ['string', 'null'], maxLength: 35 }),
  to: Type.Unsafe<string | null>({ type: ['string', 'null'], maxLength: 35 }),
  reason: Type.Unsafe<string | null>({ type: ['string', 'null'], maxLength: 500 }),
});
export type AgendaEntry = Static<typeof AgendaEntry>;

export const AgendaDay = Type.Object({
  doctor: Id,
  doctor_name: Type.String({ maxLength: 301 }),
  entries: Type.Array(AgendaEntry, { maxItems: 1000 }),
});
export type AgendaDay = Static<typeof AgendaDay>;

export const Agenda = Type.Object({
  count: Count,
  next: PageLink,
  previous: PageLink,
  results: Type.Array(AgendaDay, { maxItems: 1000 }),
  date: CalendarDate,
  time_zone: Type.String({ maxLength: 100 }),
});
export type Agenda = Static<typeof Agenda>;

export const HoldInput = Type.Object({
  doctor: Id,
  time: Id,
  date: Type.Optional(CalendarDate),
  minutes: Type.Optional(Type.Integer({ minimum: 1, maximum: 15 })),
});
export type HoldInput = Static<typeof HoldInput>;

export const Hold = Type.Object({
  token: Type.String({ minLength: 1, maxLength: 100 }),
  expires_at: Timestamp,
  doctor: Id,
  time: Id,
  date: CalendarDate,
  start: SlotMoment,
  end: SlotMoment,
  label: Type.String({ maxLength: 50 }),
});
export type Hold = Static<typeof Hold>;

export const Designation = Type.Object({
  id: Id,
  name: Type.String({ maxLength: 50 }),
  slug: Type.String({ maxLength: 60 }),
});
export type Designation = Static<typeof Designation>;

export const DesignationList = Type.Array(Designation, { maxItems: 10000 });
export type DesignationList = Static<typeof DesignationList>;

export const Slug = Type.String({
  minLength: 1,
  maxLength: 60,
  pattern: '^[A-Za-z0-9_-]+$',
  'x-pattern-message': 'may contain only letters, digits, _ and -',
});
export type Slug = Static<typeof Slug>;

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

export const ClockTime = Type.Unsafe<string | null>({
  type: ['string', 'null'],
  maxLength: 5,
  pattern: '^([01][0-9]|2[0-3]):[0-5][0-9]$',
});
export type ClockTime = Static<typeof ClockTime>;

export const AvailableTime = Type.Object({
  id: Id,
  time: Type.String({ maxLength: 50 }),
  start: ClockTime,
  end: ClockTime,
});
export type AvailableTime = Static<typeof AvailableTime>;

export const AvailableTimeList = Type.Array(AvailableTime, { maxItems: 10000 });
export type AvailableTimeList = Static<typeof AvailableTimeList>;

export const AvailableTimeInput = Type.Object({ time: LookupName });
export type AvailableTimeInput = Static<typeof AvailableTimeInput>;

export const AvailableTimePatch = Type.Object({ time: Type.Optional(LookupName) });
export type AvailableTimePatch = Static<typeof AvailableTimePatch>;

export const Slot = Type.Object({
  date: CalendarDate,
  time: Id,
  label: Type.String({ maxLength: 50 }),
  start: SlotMoment,
  end: SlotMoment,
});
export type Slot = Static<typeof Slot>;

export const Problem = Type.Object({
  type: Type.String({ maxLength: 100 }),
  title: Type.String({ maxLength: 100 }),
  status: Type.Integer({ minimum: 400, maximum: 599 }),
  detail: Type.String({ maxLength: 1000 }),
  instance: Type.String({ maxLength: 45 }),
  errors: Type.Optional(
    Type.Record(Type.String(), Type.Array(Type.String({ maxLength: 500 }), { maxItems: 20 }), { maxProperties: 100 }),
  ),
  alternatives: Type.Optional(Type.Array(Slot, { maxItems: 5 })),
  displaced: Type.Optional(Count),
  appointments: Type.Optional(Type.Array(DisplacedAppointment, { maxItems: 1000 })),
  taken: Type.Optional(Type.Array(CalendarDate, { maxItems: 26 })),
  bound: Type.Optional(
    Type.Unsafe<'patient' | 'doctor'>({ type: 'string', enum: ['patient', 'doctor'], maxLength: 7 }),
  ),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000000 })),
});
export type Problem = Static<typeof Problem>;
