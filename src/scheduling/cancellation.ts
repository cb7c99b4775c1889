/** What a cancelled appointment is in the database, however it comes to be cancelled. */
import type { appointments } from '../../db/tables/index.js';

type Stored = typeof appointments.$inferSelect;

/** Why an appointment is cancelled. */
export interface Reason {
  readonly code: NonNullable<Stored['cancelCode']>;
  /** Empty for none. */
  readonly text: string;
}

/** Cancels: what is cancelled has a reason, and nobody comes. */
export const cancelledFor = ({ code, text }: Reason) =>
  ({ isCancelled: true, cancelCode: code, cancelText: text, attendance: null }) as const;
