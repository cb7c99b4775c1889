export * from './users.js';
export * from './sessions.js';
export * from './profiles.js';
export * from './patients.js';
export * from './lookups.js';
export * from './doctors.js';
export * from './discarded-pictures.js';
