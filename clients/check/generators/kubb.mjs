/** What `kubb generate` does, without its calls to other servers. */
import { build } from '@kubb/core';
import { pluginClient } from '@kubb/plugin-client';
import { pluginOas } from '@kubb/plugin-oas';
import { pluginTs } from '@kubb/plugin-ts';

await build({
  config: {
    root: '.',
    input: { path: './generated/openapi-sdk.json' },
    output: { path: './generated/kubb', clean: true },
    plugins: [
      pluginOas({ generators: [] }),
      pluginTs({ output: { path: 'types' } }),
      pluginClient({
        output: { path: 'clients' },
        importPath: '../../../adapters/kubb-fetch.ts',
        dataReturnType: 'full',
      }),
    ],
  },
});
