/** The calls to copy that the reference shows. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import t from 'tap';
import ts from 'typescript';
import { parse } from 'yaml';
import { withSamples, type Described } from '../../openapi/samples.js';

const contract = parse(readFileSync(new URL('../../../openapi/openapi.yaml', import.meta.url), 'utf8')) as Described;

interface Sampled {
  readonly operationId: string;
  readonly 'x-codeSamples': readonly { readonly label: string; readonly source: string }[];
}
const operations = Object.values(withSamples(contract).paths).flatMap((item) =>
  Object.entries(item).flatMap(([method, operation]) =>
    method === 'parameters' ? [] : [operation as unknown as Sampled],
  ),
);
const sampleOf = (id: string, label: string): string =>
  operations.find(({ operationId }) => operationId === id)?.['x-codeSamples'].find((sample) => sample.label === label)
    ?.source ?? '';

t.test('each operation has a sample in each language, with nothing left open', (t) => {
  for (const { operationId, 'x-codeSamples': samples } of operations) {
    t.strictSame(
      samples.map(({ label }) => label),
      ['curl', 'TypeScript', 'Python'],
      operationId,
    );
    for (const { source } of samples) t.notMatch(source, /undefined|\[object|\{(id|name|slug)\}/, operationId);
  }
  t.end();
});

t.test('samples are code', (t) => {
  for (const { operationId } of operations) {
    const { diagnostics } = ts.transpileModule(sampleOf(operationId, 'TypeScript'), { reportDiagnostics: true });
    t.strictSame(diagnostics, [], operationId);
    execFileSync('bash', ['-n'], { input: sampleOf(operationId, 'curl') });
  }
  t.end();
});

t.test('samples are of the examples', (t) => {
  t.equal(
    sampleOf('getDoctor', 'curl'),
    `curl 'http://localhost:8000/doctors/1/'`,
    'what anyone may read needs no token',
  );
  t.match(sampleOf('createAppointment', 'TypeScript'), 'Authorization: `Bearer ${access}`');
  t.match(sampleOf('createService', 'curl'), "-F 'image=@portrait.jpg'", 'a picture is sent as a file');
  t.match(sampleOf('createService', 'Python'), '("image", open("portrait.jpg", "rb"))');
  t.match(sampleOf('updateUser', 'Python'), /json=\{\n +"is_(active|staff)": (True|False),/);
  t.end();
});
