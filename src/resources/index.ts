import availableTimes from './available-times/index.js';
import designations from './designations/index.js';
import doctors from './doctors/index.js';
import specialisations from './specialisations/index.js';
import users from './users/index.js';

export const resources = [users, doctors, designations, specialisations, availableTimes];
