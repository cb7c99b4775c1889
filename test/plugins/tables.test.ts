import fastify from 'fastify';
import t from 'tap';
import type { Renderings } from '../../openapi/operation.js';
import { sendRendered } from '../../plugins/tables.js';

const renderings = (cells: readonly (string | number | null)[]): Renderings<object> => {
  const table = { title: 'day', columns: ['a', 'b'], rows: [cells] };
  return { 'text/csv': () => table, 'text/html': () => ({ title: 'A <day>', lead: '', tables: [table] }) };
};

async function send(type: keyof Renderings<object>, cells: readonly (string | number | null)[]) {
  const app = fastify();
  app.get('/', (_request, reply) => sendRendered(reply, type, renderings(cells), {}));
  return app.inject('/');
}

for (const [cell, sent] of [
  ['plain', 'plain'],
  [null, ''],
  [-7, '-7'],
  ['=1+1', "'=1+1"],
  ['+44', "'+44"],
  ['-7', "'-7"],
  ['@SUM(A1)', "'@SUM(A1)"],
  ['\t=1', "'\t=1"],
  ['\r=1', `"'\r=1"`],
  ['a=1', 'a=1'],
  ['a, b', '"a, b"'],
  ['say "a"', '"say ""a"""'],
  ['a\nb', '"a\nb"'],
  ['Åse ⭐', 'Åse ⭐'],
] as const) {
  t.test(`a cell of ${JSON.stringify(cell)} as CSV`, async (t) => {
    const { payload, headers } = await send('text/csv', [cell, 'z']);
    t.equal(payload, `a,b\r\n${sent},z\r\n`);
    t.equal(headers['content-type'], 'text/csv; charset=utf-8');
  });
}

t.test('a page of which nothing is markup but its own', async (t) => {
  const { payload } = await send('text/html', ['<i>', '"&']);
  t.match(payload, '<title>A &lt;day&gt;</title>');
  t.match(payload, '<tr><th scope="row">&lt;i&gt;</th><td>&quot;&amp;</td></tr>');
});
