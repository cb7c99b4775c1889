/** Which clients are made, and how. Commands run in this folder, on the files in generated/ that the demo has served. */
import { tell, type CreateClient } from './story.js';

export interface Client {
  readonly name: string;
  /** The package of the generator. */
  readonly package: string;
  readonly generate: string;
  readonly compile?: string;
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
];
