/** Swagger UI over this server's contract, in a browser. */
import { answersPlugin } from './answers.js';
import { keepNamed } from './names.js';
import { forTesters, listPlugin } from './operations.js';
import { at } from './root.js';
import { notice, prepare, resume, sessionPlugin } from './session.js';

const main = document.getElementById('swagger-ui');
keepNamed(main);
const contract = await (await fetch(at('/openapi.json'))).json();
SwaggerUIBundle({
  spec: forTesters(contract),
  dom_id: '#swagger-ui',
  deepLinking: true,
  docExpansion: 'list',
  defaultModelsExpandDepth: 0,
  filter: true,
  tryItOutEnabled: true,
  validatorUrl: null,
  requestInterceptor: prepare,
  responseInterceptor: notice,
  onComplete: resume,
  plugins: [listPlugin, answersPlugin, sessionPlugin(JSON.parse(main.dataset.accounts))],
});
