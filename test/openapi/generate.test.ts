import { readFile } from 'node:fs/promises';
import { format, resolveConfig } from 'prettier';
import t from 'tap';
import { parse } from 'yaml';
import { generate, type Contract } from '../../openapi/generate.js';

const root = new URL('../../../openapi/', import.meta.url);

/** A contract of one resource, which each test spoils in its own way. */
const small = (): Contract =>
  parse(`
info: { title: Rooms, version: 1.0.0 }
tags: [{ name: rooms }]
x-problems: { not-found: { status: 404, title: Not found, description: None., why: None., next: None. } }
paths:
  /rooms/{id}/:
    parameters: [{ $ref: '#/components/parameters/RoomId' }]
    patch:
      operationId: updateRoom
      tags: [rooms]
      x-service-scope: rooms:write
      security: [{ bearerAuth: [staff] }]
      parameters: [{ name: dry_run, in: query, schema: { type: boolean, default: false } }]
      requestBody: { content: { application/json: { schema: { $ref: '#/components/schemas/RoomPatch' } } } }
      responses:
        '200': { content: { application/json: { schema: { $ref: '#/components/schemas/Room' } } } }
        '404': { $ref: '#/components/responses/NotFound' }
components:
  parameters:
    RoomId: { name: id, in: path, required: true, schema: { $ref: '#/components/schemas/Id' } }
  schemas:
    RoomPatch: { type: object, properties: { name: { $ref: '#/components/schemas/RoomName' } } }
    Room:
      type: object
      required: [id, name, floor]
      properties:
        id: { $ref: '#/components/schemas/Id' }
        name: { $ref: '#/components/schemas/RoomName' }
        floor: { type: [integer, 'null'], description: For people. }
    RoomName: { type: string, maxLength: 50 }
    Id: { type: integer, minimum: 1 }
    ServiceScope: { type: string, enum: ['rooms:write'] }
    Problem: { type: object, properties: {} }
  responses:
    NotFound:
      content:
        application/problem+json:
          schema: { $ref: '#/components/schemas/Problem' }
          example: { type: /problems/not-found, instance: urn:uuid:1 }
`) as Contract;

t.test('the checked-in files are what the contract makes', async (t) => {
  const contract = parse(await readFile(new URL('openapi.yaml', root), 'utf8')) as Contract;
  for (const [name, text] of Object.entries(generate(contract))) {
    const file = new URL(`generated/${name}`, root);
    const options = await resolveConfig(file);
    t.equal(await format(text, { ...options, filepath: name }), await readFile(file, 'utf8'), name);
  }
});

t.test('a contract makes the same code every time, and stays as it is', (t) => {
  const contract = small();
  const first = generate(contract);
  t.strictSame(generate(contract), first);
  t.strictSame(contract, small());
  t.end();
});

t.test('schemas come after those that they refer to, without what is for people', (t) => {
  const text = generate(small())['schemas.ts'];
  t.ok(text.indexOf('const RoomName') < text.indexOf('const RoomPatch'));
  t.match(text, 'floor: Type.Unsafe<number | null>({"type":["integer","null"]})');
  t.notMatch(text, 'For people');
  t.match(text, 'export type Room = Static<typeof Room>');
  t.end();
});

t.test('an operation has its path, its schemas, its access and the type of its query', (t) => {
  const text = generate(small())['operations.ts'];
  t.match(text, "url: '/rooms/:id/'");
  t.match(text, 'params: Type.Object({ id: S.Id })');
  t.match(text, 'querystring: Type.Object({ dry_run: Type.Boolean({"default":false}) })', 'a default is always there');
  t.match(text, 'body: S.RoomPatch');
  t.match(text, 'response: { 200: S.Room, 404: S.Problem }');
  t.match(text, '"access":"staff"');
  t.match(text, 'export type UpdateRoomQuery = Static<typeof operations.updateRoom.schema.querystring>;');
  t.end();
});

type Path = Contract['paths'][string];
type Patch = { -readonly [Key in keyof Extract<Path[string], { operationId: string }>]: unknown };
const patchOf = (contract: Contract): Patch => (contract.paths['/rooms/{id}/'] as Path)['patch'] as unknown as Patch;

const created = (link: object) => ({ '201': { headers: { Location: {} }, links: { record: link } } });

t.test('an operation that creates knows where the record is', (t) => {
  const contract = small();
  patchOf(contract).responses = created({ operationId: 'updateRoom', parameters: { id: '$response.body#/room/id' } });
  t.match(generate(contract)['operations.ts'], '"location":{"url":"/rooms/{id}/","id":["room","id"]}');
  t.end();
});

t.test('schemas that only problems have make no code', (t) => {
  const contract = small();
  contract.components.schemas['RoomTaken'] = { oneOf: [{ $ref: '#/components/schemas/Problem' }] };
  t.notMatch(generate(contract)['schemas.ts'], 'RoomTaken');
  t.end();
});

for (const [what, spoil, message] of [
  ['no security', (c) => delete patchOf(c).security, 'updateRoom: needs a security entry'],
  ['an unknown role', (c) => (patchOf(c).security = [{ bearerAuth: ['king'] }]), 'updateRoom: unknown role king'],
  [
    'a scope of another section',
    (c) => (patchOf(c)['x-service-scope'] = 'halls:write'),
    'updateRoom: x-service-scope must be rooms:write',
  ],
  [
    'a scope of another kind',
    (c) => (patchOf(c)['x-service-scope'] = 'rooms:read'),
    'updateRoom: x-service-scope must be rooms:write',
  ],
  [
    'a scope for what is for anyone',
    (c) => (patchOf(c).security = []),
    'updateRoom: is for anyone, so for services without a scope',
  ],
  [
    'a scope that no key may have',
    (c) => (c.components.schemas['ServiceScope'] = { type: 'string', enum: [] }),
    'ServiceScope: has no rooms:write',
  ],
  [
    'a scope that no operation needs',
    (c) => (c.components.schemas['ServiceScope'] = { type: 'string', enum: ['rooms:write', 'rooms:read'] }),
    'ServiceScope: must have the scopes rooms:write',
  ],
  ['no operationId', (c) => delete patchOf(c).operationId, 'patch /rooms/{id}/: needs an operationId'],
  [
    'an unknown parameter',
    (c) => (patchOf(c).parameters = [{ $ref: '#/components/parameters/None' }]),
    'updateRoom: #/components/parameters/None',
  ],
  [
    'no successful answer',
    (c) => delete (patchOf(c).responses as Record<string, unknown>)['200'],
    'updateRoom: needs exactly one 2xx answer',
  ],
  [
    'a Location that no link explains',
    (c) => (patchOf(c).responses = { '201': { headers: { Location: {} } } }),
    'updateRoom: a Location needs one link, to the operation that gets the record',
  ],
  [
    'a Location that leads nowhere',
    (c) => (patchOf(c).responses = created({ operationId: 'getRoom', parameters: { id: '$response.body#/id' } })),
    'updateRoom: links to no operation',
  ],
  [
    'a Location without an id',
    (c) => (patchOf(c).responses = created({ operationId: 'updateRoom', parameters: { id: '$request.path.id' } })),
    'updateRoom: the link needs the id from the body',
  ],
  [
    'a keyword that nobody validates',
    (c) => (c.components.schemas['RoomName'] = { type: 'string', const: 'x' }),
    'RoomName: keyword const is not supported',
  ],
  [
    'a reference to nothing',
    (c) => (c.components.schemas['RoomPatch'] = { $ref: '#/components/schemas/None' }),
    'None: is not defined',
  ],
  [
    'a schema within itself',
    (c) => (c.components.schemas['Id'] = { $ref: '#/components/schemas/Id' }),
    'Id: refers to itself',
  ],
  [
    'a problem type without an example',
    (c) => (c['x-problems']['lost'] = { status: 404, title: 'Lost', description: '', why: '', next: '' }),
    'x-problems lost: has no example',
  ],
  [
    'an answer of an error that is no problem',
    (c) =>
      (c.components.responses['NotFound'] = {
        content: { 'application/json': { schema: { $ref: '#/components/schemas/Room' } } },
      }),
    'responses NotFound: must be a Problem',
  ],
] as [string, (contract: Contract) => unknown, string][]) {
  t.test(`a contract with ${what} makes nothing, and the place is named`, (t) => {
    const contract = small();
    spoil(contract);
    t.throws(() => generate(contract), { message: `openapi.yaml: ${message}` });
    t.end();
  });
}
