/**
 * The row of a statement that gives just one: an insert, an aggregate. To take an absent row for "none" there would turn
 * a fault of the connection into an answer.
 * @throws Error where there is no row, or more than one
 */
export function one<Row>(rows: readonly Row[]): Row {
  const [row] = rows;
  if (row === undefined || rows.length > 1) throw new Error(`${rows.length} rows where one was due`);
  return row;
}
