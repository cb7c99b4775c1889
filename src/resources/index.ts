import agenda from './agenda/index.js';
import appointments from './appointments/index.js';
import auditEvents from './audit-events/index.js';
import availability from './availability/index.js';
import availableTimes from './available-times/index.js';
import clinic from './clinic/index.js';
import contacts from './contacts/index.js';
import designations from './designations/index.js';
import doctors from './doctors/index.js';
import holds from './holds/index.js';
import hours from './hours/index.js';
import patients from './patients/index.js';
import profiles from './profiles/index.js';
import reviews from './reviews/index.js';
import serviceKeys from './service-keys/index.js';
import services from './services/index.js';
import specialisations from './specialisations/index.js';
import timeOff from './time-off/index.js';
import users from './users/index.js';
import waitingList from './waiting-list/index.js';

export const resources = [
  users,
  profiles,
  patients,
  doctors,
  designations,
  specialisations,
  availableTimes,
  hours,
  availability,
  appointments,
  holds,
  agenda,
  waitingList,
  timeOff,
  auditEvents,
  serviceKeys,
  reviews,
  clinic,
  services,
  contacts,
];
