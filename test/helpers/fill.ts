import postgres from 'postgres';

/** Rows that each table gets, unless its constraints allow fewer. */
const ROWS = 8;
/** Rows that are tried for each table; most fit. */
const TRIES = 300;

const TEXTS = ['Ada', "O'Neill", 'Łódź', '', '+44 20 1234', '⭐⭐⭐', 'x'.repeat(5000)];
const NUMBERS = ['0', '1', '2', '3', '4', '5', '30', '600', '630', '1000'];
const DAYS = ['2019-12-31', '2024-02-29', '2031-01-01', '2031-06-15'];
const TIMES = DAYS.map((day) => `${day} 10:30:00.123+00`);
const SAMPLES: Readonly<Record<string, readonly string[]>> = {
  'character varying': TEXTS,
  character: TEXTS,
  text: TEXTS,
  smallint: NUMBERS,
  integer: NUMBERS,
  bigint: NUMBERS,
  numeric: NUMBERS,
  'double precision': NUMBERS,
  boolean: ['true', 'false'],
  date: DAYS,
  'timestamp with time zone': TIMES,
  'timestamp with time zone[]': ['{}', `{${TIMES.map((time) => `"${time}"`).join()}}`],
  tsrange: TIMES.map((time) => `[${time.slice(0, 19)}, ${time.slice(0, 10)} 11:00)`),
  tstzrange: TIMES.map((time) => `[${time}, ${time.slice(0, 10)} 11:00+00)`),
  uuid: ['3b241101-e2bb-4255-8caf-4136c566a962'],
  'bigint[]': ['{}', '{1,2}'],
  'text[]': ['{}', '{patients:read,"b c"}'],
  jsonb: ['{}', '{"a": [1, null]}'],
};

interface Column {
  readonly name: string;
  /** As SQL has it, without its length. */
  readonly type: string;
  /** The most characters of a text, where it has a limit. */
  readonly length: number | null;
  readonly isRequired: boolean;
  readonly hasDefault: boolean;
  /** The labels of an enum. */
  readonly labels: readonly string[] | null;
  /** Table and column, if it is a reference or part of one. */
  readonly target: readonly [string, string] | null;
}

interface Table {
  readonly name: string;
  /** Those that take values. */
  readonly columns: readonly Column[];
}

export const readTables = (sql: postgres.Sql): Promise<Table[]> => sql<Table[]>`
  select c.relname as name, json_agg(json_build_object(
    'name', a.attname, 'type', format_type(a.atttypid, null), 'isRequired', a.attnotnull, 'hasDefault', a.atthasdef,
    'length', case when a.atttypid in ('varchar'::regtype, 'bpchar'::regtype) and a.atttypmod > 4 then a.atttypmod - 4 end,
    'labels', (select json_agg(enumlabel) from pg_enum where enumtypid = a.atttypid),
    'target', (select json_build_array(f.attrelid::regclass, f.attname) from pg_constraint k
      join pg_attribute f on f.attrelid = k.confrelid and f.attnum = k.confkey[array_position(k.conkey, a.attnum)]
      where k.contype = 'f' and k.conrelid = c.oid and a.attnum = any(k.conkey)
      order by cardinality(k.conkey) limit 1)) order by a.attnum) as columns
  from pg_class c join pg_attribute a on a.attrelid = c.oid
  where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' and a.attnum > 0 and not a.attisdropped
    and a.attidentity = '' and a.attgenerated = ''
  group by c.oid order by c.oid`;

/**
 * Gives every table rows that its constraints allow, whatever the schema: with null and with a value in each column that
 * may be null, equal values where nothing forbids them, and texts as short and as long as may be. The same each time.
 * @param sql of one connection
 */
export async function fillTables(sql: postgres.Sql): Promise<void> {
  await sql`select setseed(0.5)`;
  let state = 1;
  const random = (count: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * count);
  };

  function literalFor({ type, length, isRequired, hasDefault, labels, target }: Column): string {
    if (!isRequired && random(3) === 0) return 'null';
    if (hasDefault && random(3) === 0) return 'default';
    if (target !== null) return `(select ${target[1]} from ${target[0]} order by random() limit 1)`;
    const samples = labels ?? SAMPLES[type];
    if (samples === undefined) throw new Error(`there are no samples of the type ${type} in test/helpers/fill.ts`);
    let sample = samples[random(samples.length)] ?? '';
    // Some are unique, and of the length of a hash.
    if (samples === TEXTS && random(2) === 0) sample = String(random(1e9)).padStart(length ?? 9, '0');
    return `'${sample.slice(0, length ?? undefined).replaceAll("'", "''")}'`;
  }

  const tables = (await readTables(sql)).map(({ name, columns }) => ({
    name,
    columns,
    rows: 0,
    /** Columns that have had no null, or nothing else, in any row yet. */
    wanted: new Set(columns.filter((column) => !column.isRequired).flatMap(({ name }) => [`${name} null`, name])),
    fault: '',
  }));
  for (let tries = 0; tries < TRIES; tries++) {
    for (const table of tables) {
      if (table.rows >= ROWS && table.wanted.size === 0) continue;
      const names = table.columns.map(({ name }) => `"${name}"`);
      const values = table.columns.map(literalFor);
      try {
        const [row] = await sql.unsafe(
          `insert into "${table.name}" (${names.join()}) values (${values.join()}) returning *`,
        );
        table.rows++;
        for (const [name, value] of Object.entries(row ?? {})) {
          table.wanted.delete(value === null ? `${name} null` : name);
        }
      } catch (error) {
        if (!(error instanceof postgres.PostgresError)) throw error;
        table.fault = error.message;
      }
    }
  }
  // One that was filled before may have no more that fit, and what another table's trigger takes is gone again.
  const counts = await countRows(sql);
  const empty = tables.find(({ name, rows }) => rows === 0 && counts.get(name) === 0);
  if (empty !== undefined) {
    throw new Error(`test/helpers/fill.ts made no row that ${empty.name} takes; the last was refused: ${empty.fault}`);
  }
}

/** How many rows each table has. */
export async function countRows(sql: postgres.Sql): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  for (const { name } of await readTables(sql)) {
    const [row] = await sql<{ count: number }[]>`select count(*)::int from ${sql(name)}`;
    counts.set(name, row?.count ?? 0);
  }
  return counts;
}
