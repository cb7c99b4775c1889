/**
 * The row of a statement that gives just one: an insert, an aggregate. To take an absent row for "none" there would turn
 * a fault of the connection into an answer.
 * @throws Error where there is no row, or more than one
 */
export function one<Row>(rows: readonly Row[]): Row {
  const row = oneOrNone(rows);
  if (row === undefined) throw new Error('no row where one was due');
  return row;
}

/**
 * The row of a statement that gives one or none, as a read by a key. None is an answer without rows, and not one whose
 * first row is missing.
 * @throws Error where there is more than one row, or a hole in place of it
 */
export function oneOrNone<Row>(rows: readonly Row[]): Row | undefined {
  const [row] = rows;
  if (rows.length > 1 || (rows.length === 1 && row === undefined))
    throw new Error(`${rows.length} rows where one or none was due`);
  return row;
}
