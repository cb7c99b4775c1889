/**
 * The floor that the product is measured against: the least that can give the same answers. No framework, no
 * authentication, no validation, no limits, no log; the SQL is written by hand and prepared, one round trip a read.
 */
import { createServer, type IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import { book } from './floor/booking.js';
import { read } from './floor/resources.js';
import { NOT_FOUND, sql, type Answer } from './floor/sql.js';

async function answer({ method, url = '', headers }: IncomingMessage, body: () => Promise<string>): Promise<Answer> {
  const mark = url.indexOf('?');
  const path = mark < 0 ? url : url.slice(0, mark);
  if (method === 'POST') return path === '/appointments/' ? book(await body()) : NOT_FOUND;
  const query = new URLSearchParams(mark < 0 ? '' : url.slice(mark + 1));
  const asked = { base: `http://${headers.host ?? ''}`, path, query, caller: String(headers['x-caller'] ?? '') };
  return (await read(asked)) ?? NOT_FOUND;
}

const server = createServer((request, response) => {
  void answer(request, () => text(request))
    .catch((error: unknown) => ({ status: 500, body: JSON.stringify({ title: String(error) }) }))
    .then(({ status, body }) => {
      const bytes = Buffer.from(body);
      response.writeHead(status, { 'content-type': 'application/json', 'content-length': bytes.length }).end(bytes);
    });
});
server.listen(Number(process.env['PORT']), '127.0.0.1');
process.once('SIGTERM', () => {
  server.close();
  server.closeAllConnections();
  void sql.end({ timeout: 1 });
});
