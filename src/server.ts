import { readConfig } from './config.js';
import { orRefuse, startServer } from './start-server.js';

await orRefuse(() => startServer(readConfig(process.env)));
