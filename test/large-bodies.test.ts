/** Bodies larger than an operation takes, sent by clients that read the answer when they have sent everything. */
import t from 'tap';
import { checkAnswer } from './helpers/contract.js';
import { buildTestApp } from './helpers/app.js';
import { chunked, sendAll } from './helpers/exchange.js';
import { allOperations, pathOf } from './helpers/operations.js';

const MB = 1_000_000;
const filler = (megabytes: number): Buffer => Buffer.alloc(megabytes * MB, 'a');

/** A form with a file or a text of that size. */
function form(megabytes: number, disposition: string): Buffer {
  const head = `--B\r\nContent-Disposition: form-data; ${disposition}\r\n\r\n`;
  return Buffer.concat([Buffer.from(head), filler(megabytes), Buffer.from('\r\n--B--\r\n')]);
}

t.test('bodies that are too large', async (t) => {
  const api = await buildTestApp(t);
  const { token } = await api.registerStaff();
  const { origin, port } = new URL(await api.app.listen({ port: 0, host: '127.0.0.1' }));

  const json = filler(8);
  const bodies: readonly (readonly [type: string, more: string, body: Buffer])[] = [
    ['application/json', `Content-Length: ${json.length}`, json],
    ['application/json', 'Transfer-Encoding: chunked', chunked(json)],
    ...['name="x"', 'name="x"; filename="a.png"'].map((disposition) => {
      const body = form(8, disposition);
      return ['multipart/form-data', `Content-Length: ${body.length}`, body] as const;
    }),
    ['text/plain', `Content-Length: ${json.length}`, json],
  ];

  for (const operation of allOperations) {
    const { method, config } = operation;
    const { operationId, consumes } = config;
    // Of no record: else one would end the session of the token.
    const path = pathOf(operation, 999_999);
    const title = consumes.length === 0 ? 'as ever where 8 MB are sent that nobody asked for' : '413 and 415 for 8 MB';
    await t.test(`${operationId} ${title}`, async (t) => {
      for (const [type, more, body] of consumes.length === 0 ? bodies.slice(0, 1) : bodies) {
        const head =
          `${method} ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nAuthorization: Bearer ${token}\r\n` +
          `Content-Type: ${type}; boundary=B\r\n${more}`;
        const answer = await sendAll(Number(port), head, body);
        checkAnswer(method, path, { ...answer, isPrivate: true, text: answer.body });
        if (consumes.length === 0) t.not(answer.status, 413);
        else t.equal(answer.status, consumes.includes(type) ? 413 : 415, `${type} ${more}`);
      }
    });
  }

  await t.test('createContact 413 for 100 MB, from a socket and from fetch', async (t) => {
    const body = filler(100);
    const head = `POST /contacts/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: ${body.length}`;
    t.equal((await sendAll(Number(port), head, body)).status, 413);
    for (const megabytes of [8, 100]) {
      const headers = { 'content-type': 'application/json' };
      const answers = await Promise.all(
        [1, 2].map(() =>
          fetch(`${origin}/contacts/`, { method: 'POST', headers, body: body.subarray(0, megabytes * MB) }),
        ),
      );
      for (const answer of answers) t.match([answer.status, await answer.json()], [413, { status: 413 }]);
    }
    t.equal((await fetch(`${origin}/doctors/`)).status, 200);
  });
});
