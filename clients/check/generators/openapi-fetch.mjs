/** openapi-typescript, with files as `Blob`: by itself it knows them as text. */
import { readFile, writeFile } from 'node:fs/promises';
import openapiTypescript, { astToString } from 'openapi-typescript';
import ts from 'typescript';

const [, , source, target] = process.argv;
const file = ts.factory.createTypeReferenceNode('Blob');
const types = await openapiTypescript(JSON.parse(await readFile(source, 'utf8')), {
  transform: ({ format }) => (format === 'binary' ? file : undefined),
});
await writeFile(target, astToString(types));
