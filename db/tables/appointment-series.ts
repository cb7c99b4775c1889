import { pgTable } from 'drizzle-orm/pg-core';
import { createdAt, id } from './columns.js';

/** Appointments that were booked together have one of these in common. */
export const appointmentSeries = pgTable('appointment_series', { id: id(), createdAt: createdAt() });
