module.exports = {
  api: {
    input: '../generated/openapi-sdk.json',
    output: {
      target: '../generated/orval/api.ts',
      client: 'fetch',
      mode: 'single',
      override: { mutator: { path: '../adapters/orval-fetch.ts', name: 'request' } },
    },
  },
};
