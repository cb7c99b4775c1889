import postgres from './driver.js';

/** What Node makes of all spellings of a zone, or undefined for what it does not know. */
function canonical(zone: string): string | undefined {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: zone }).resolvedOptions().timeZone;
  } catch {
    return undefined;
  }
}

async function isKnown(client: postgres.Sql, zone: string): Promise<boolean> {
  try {
    await client`select now() at time zone ${zone}`;
    return true;
  } catch (error) {
    // invalid_parameter_value
    if (error instanceof postgres.PostgresError && error.code === '22023') return false;
    throw error;
  }
}

/**
 * A zone in a spelling that the server knows: Node and servers have the zones' names of different years, such as
 * Asia/Calcutta and Asia/Kolkata.
 * @param zone an IANA name that Node knows
 * @throws Error, whose message is one line, where the server knows no spelling of it
 */
export async function spellingOf(client: postgres.Sql, zone: string): Promise<string> {
  if (await isKnown(client, zone)) return zone;
  const name = canonical(zone) ?? zone;
  const known = await client<{ name: string }[]>`select name from pg_timezone_names order by name`;
  const spelling = known.find((each) => each.name === name) ?? known.find((each) => canonical(each.name) === name);
  if (spelling !== undefined) return spelling.name;
  throw new Error(`CLINIC_TIME_ZONE must be a time zone that the database's server knows, but is "${zone}"`);
}
