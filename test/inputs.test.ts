/** What every operation makes of input that clients write in more than one way. */
import t from 'tap';
import type { operations } from '../openapi/generated/operations.js';
import { buildTestApp, type Body, type CallOptions, type TestAnswer } from './helpers/app.js';
import { ACTORS, backUp, buildClinic, TABLE, type Request } from './helpers/clinic.js';
import { allOperations, type Operation } from './helpers/operations.js';
import { pictureFile } from './helpers/pictures.js';

const namesOf = ({ schema }: Operation, keyword: string, value: string): string[] =>
  Object.entries(schema.body?.properties ?? {})
    .filter(([, property]) => property[keyword] === value)
    .map(([name]) => name);

t.test('inputs', async (t) => {
  const api = await buildTestApp(t);
  const clinic = await buildClinic(api);
  const restoreTables = await backUp(api);
  const restore = async (): Promise<void> => {
    await restoreTables();
    for (const user of Object.values(clinic.users)) api.app.tokens.forgetUser(user.id);
  };

  /** The row's request, of a caller who may make it, with the body as a form or as JSON. */
  const requestOf = async ({ config }: Operation): Promise<Request> => {
    const [statuses, prepare] = TABLE[config.operationId as keyof typeof operations];
    const actor = ACTORS.findLast((name, index) => name !== 'anonymous' && statuses[index] === config.success);
    if (actor === undefined || actor === 'anonymous') throw new Error(`nobody may ${config.operationId}`);
    return { ...(await prepare?.(clinic, actor)), token: clinic.users[actor].token };
  };
  const send = ({ method, url }: Pick<Operation, 'method' | 'url'>, { path = '', ...options }: Request, query = '') =>
    api.call(method, url.replace(/:\w+/, path) + query, options);
  const asForm = ({ body, form, ...request }: Request, more: NonNullable<CallOptions['form']>): Request => ({
    ...request,
    form: { ...(body as CallOptions['form']), ...form, ...more },
  });

  for (const operation of allOperations.filter(({ schema }) => schema.querystring !== undefined)) {
    const { operationId, success } = operation.config;
    const names = Object.keys(operation.schema.querystring?.properties ?? {});
    /** Without what each record that is made has of its own. */
    const contentOf = ({ body }: TestAnswer): Body =>
      success === 201 ? { ...body, id: undefined, created_at: undefined } : (body?.results ?? body);
    await t.test(`${operationId} ${success} with parameters that are given empty, as without them`, async (t) => {
      const request = await requestOf(operation);
      const plain = await send(operation, request);
      t.equal(plain.status, success);
      for (const query of [
        ...names.map((name) => `${name}=`),
        ...names,
        names.map((name) => `${name}=&${name}=`).join('&'),
      ]) {
        const answer = await send(operation, request, `?${query}`);
        t.equal(answer.status, success, query);
        // The audit lists what is asked of it, and an export who asked for it.
        if (!['listAuditEvents', 'exportPatient'].includes(operationId))
          t.strictSame(contentOf(answer), contentOf(plain), query);
      }
    });
  }

  const takesForms = ({ config }: Operation): boolean => config.consumes.includes('multipart/form-data');
  for (const operation of allOperations.filter(
    (each) => takesForms(each) && namesOf(each, 'type', 'array').length > 0,
  )) {
    const { operationId, success } = operation.config;
    await t.test(`${operationId} ${success} with lists under the names that form encoders give them`, async (t) => {
      const ids = {
        designation: String(clinic.ids['designationId']),
        specialisation: String(clinic.ids['specialisationId']),
        available_time: String(clinic.ids['timeId']),
      };
      const stored = { designation: ['Chief'], specialisation: ['Eyes'], available_time: [clinic.ids['timeId']] };
      t.strictSame(Object.keys(ids).sort(), namesOf(operation, 'type', 'array').sort(), 'all lists');
      for (const end of ['', '[]', '[0]', '[1]']) {
        for (const value of [(id: string) => id, (id: string) => `[${id}]`, (id: string) => ` ${id} `]) {
          const form = Object.fromEntries(Object.entries(ids).map(([name, id]) => [name + end, value(id)]));
          const answer = await send(operation, asForm(await requestOf(operation), form));
          t.equal(answer.status, success);
          t.match(answer.body, stored, `${end} ${value('1')}`);
          await restore();
        }
      }
    });
  }

  for (const operation of allOperations.filter((each) => namesOf(each, 'format', 'binary').length > 0)) {
    const { operationId, success } = operation.config;
    const [field = ''] = namesOf(operation, 'format', 'binary');
    const isChange = operation.method !== 'POST';
    await t.test(`${operationId} 400 for a file of no bytes, and the picture stays`, async (t) => {
      const request = await requestOf(operation);
      const pictured = asForm(request, { [field]: await pictureFile() });
      const picture = async () => {
        if (!isChange) return null;
        const { body } = await send(
          { method: 'GET', url: operation.url },
          { path: request.path ?? '', token: request.token },
        );
        return body[field] === null ? null : new URL(body[field]).pathname;
      };
      const before = isChange ? (await send(operation, pictured)).body[field] : null;
      t.equal(await picture(), before === null ? null : new URL(before).pathname);
      for (const file of [new File([], 'a.png'), new File([], ' ', { type: 'image/png' }), new Blob([])]) {
        const answer = await send(operation, asForm(request, { [field]: file }));
        t.match(answer, { status: 400, body: { errors: { [field]: ['must not be an empty file'] } } });
      }
      if (isChange) {
        const unchosen = await send(operation, asForm(request, { [field]: new File([], '') }));
        t.equal(unchosen.status, success, 'a file input in which nothing was chosen');
        t.equal(await picture(), new URL(before).pathname);
        t.equal((await send(operation, asForm(request, { [field]: '' }))).status, success, 'empty text');
        if (operation.config.tag !== 'services') t.equal(await picture(), null);
      }
      await restore();
    });
  }
});
