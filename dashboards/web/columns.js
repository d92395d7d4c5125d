// The rows of a payload's table as objects: column -> number, or text where it is none.

/** The table of that name as rows, [] if the answer has none. */
export function rowsOf(answer, name) {
  const table = answer.tables.find((each) => each.name === name);
  if (!table) return [];
  return table.rows.map((row) =>
    Object.fromEntries(table.columns.map((column, place) => [column.name, row[place][1] ?? row[place][0]])),
  );
}
