/** For `--import`: writes the URLs of all scripts that a program has loaded, of whatever kind, to LOADED_SCRIPTS at its end. */
import { writeFileSync } from 'node:fs';
import { Session } from 'node:inspector';

const urls: string[] = [];
const session = new Session();
session.connect();
session.on('Debugger.scriptParsed', ({ params }) => urls.push(params.url));
session.post('Debugger.enable');
process.on('exit', () => writeFileSync(process.env['LOADED_SCRIPTS'] ?? '', JSON.stringify(urls)));
