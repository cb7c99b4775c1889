/** Swagger UI over this server's contract, in a browser. */
import { answersPlugin } from './answers.js';
import { keepNamed } from './names.js';
import { forTesters, listPlugin } from './operations.js';
import { notice, prepare, sessionPlugin } from './session.js';

const main = document.getElementById('swagger-ui');
keepNamed(main);
const contract = await (await fetch('/openapi.json')).json();
SwaggerUIBundle({
  spec: forTesters(contract),
  dom_id: '#swagger-ui',
  deepLinking: true,
  docExpansion: 'list',
  defaultModelsExpandDepth: 0,
  filter: true,
  persistAuthorization: true,
  tryItOutEnabled: true,
  validatorUrl: null,
  requestInterceptor: prepare,
  responseInterceptor: notice,
  plugins: [listPlugin, answersPlugin, sessionPlugin(JSON.parse(main.dataset.accounts))],
});
