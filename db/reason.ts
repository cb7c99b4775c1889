import { DrizzleQueryError } from 'drizzle-orm';
import postgres from './driver.js';

/** Why something failed, in one line, without values of rows or of a query's parameters. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'an unknown fault';
  // The message is the query with its parameters.
  if (error instanceof DrizzleQueryError) return error.cause === undefined ? 'a query failed' : reasonOf(error.cause);
  // Class 22, data exceptions, quotes what could not be converted.
  const hasValues = error instanceof postgres.PostgresError && error.code.startsWith('22');
  // How Node tells of a server that has refused TLS.
  if (/before secure TLS connection/.test(error.message)) return 'it does not take TLS, which sslmode asks for';
  const said = hasValues ? error.message.replace(/".*"/s, '"…"') : error.message;
  // An error of several addresses of a host has no message.
  const parts = error instanceof AggregateError && said === '' ? error.errors.map(reasonOf) : [said];
  return parts.join('; ').replace(/\s+/g, ' ').trim() || error.name;
}
