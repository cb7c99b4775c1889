export default {
  input: './generated/openapi-sdk.json',
  output: { path: 'generated/hey-api', clean: true },
  plugins: ['@hey-api/client-fetch', '@hey-api/typescript', '@hey-api/sdk'],
};
