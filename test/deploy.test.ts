/** What deploy/ has for whoever runs it in containers: files that nothing here runs, held against what they name. */
import t from 'tap';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { parse, parseAllDocuments } from 'yaml';
import { readVersion } from '../src/command-line.js';
import { Environment, readConfig } from '../src/config.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const read = (name: string): string => readFileSync(join(root, 'deploy', name), 'utf8');

/* eslint-disable @typescript-eslint/no-explicit-any -- what they have to be is what is tested */
type Manifest = Record<string, any>;
const manifests = new Map(
  readdirSync(join(root, 'deploy/kubernetes'))
    .flatMap((name) => parseAllDocuments(read(`kubernetes/${name}`)))
    .map((document) => {
      if (document.errors[0] !== undefined) throw document.errors[0];
      const manifest = document.toJS() as Manifest;
      return [manifest['kind'] as string, manifest];
    }),
);
const manifest = (kind: string): Manifest => manifests.get(kind) ?? {};
const podOf = (kind: string): Manifest => {
  const { spec } = manifest(kind);
  return (spec.jobTemplate?.spec ?? spec).template.spec;
};
const compose = parse(read('compose/compose.yaml'), { merge: true }) as {
  services: Record<string, Manifest>;
  volumes: Record<string, unknown>;
  secrets: Record<string, { file: string }>;
};

t.test('the manifests are what Kubernetes has such things be', (t) => {
  const lines = [...manifests].map(([kind, content], index) => {
    const group = content['apiVersion'].replace(/\.k8s\.io/, '').split('/') as string[];
    const module = `kubernetes-types/${group.length === 1 ? 'core' : group[0]}/${group.at(-1)}`;
    return `import type { ${kind} as K${index} } from '${module}';\nexport const k${index}: K${index} = ${JSON.stringify(content)};`;
  });
  // Names that a kind does not have are errors in a literal alone.
  const file = join(root, 'manifests.ts');
  const options = {
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    types: [],
    ...{ moduleResolution: 100, module: 99 },
  };
  const host = ts.createCompilerHost(options);
  const { readFile, fileExists, getSourceFile } = host;
  const text = lines.join('\n');
  host.fileExists = (name) => name === file || fileExists(name);
  host.readFile = (name) => (name === file ? text : readFile(name));
  host.getSourceFile = (name, language, ...more) =>
    name === file ? ts.createSourceFile(name, text, language) : getSourceFile(name, language, ...more);
  const said = ts.getPreEmitDiagnostics(ts.createProgram([file], options, host));
  t.strictSame(
    said.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, ' ')),
    [],
  );
  t.equal(manifests.size, 10);
  t.end();
});

t.test('each variable is one that the server knows, with a value that it takes', (t) => {
  const known = Object.entries(Environment.properties).flatMap(([name, schema]) =>
    'secret' in schema ? [name, `${name}_FILE`] : [name],
  );
  const isServer = ({ image, command = [] }: Manifest): boolean =>
    image === 'hospital-management-api' && command !== undefined;
  const servers = Object.values(compose.services).filter(isServer);
  t.equal(servers.length, 3);
  const environments = [
    { ...manifest('ConfigMap')['data'], ...manifest('Secret')['stringData'] },
    ...servers.map(({ environment }) => environment),
  ] as Record<string, string>[];
  for (const environment of environments) {
    for (const [name, value] of Object.entries(environment)) {
      t.ok(known.includes(name), name);
      t.type(value, 'string', name);
    }
    const plain = Object.entries(environment).filter(([name]) => !name.endsWith('_FILE') && !name.endsWith('_SECRET'));
    t.doesNotThrow(() => readConfig(Object.fromEntries(plain)));
  }
  for (const { environment, secrets } of servers) {
    for (const path of Object.values(environment as Record<string, string>)) {
      if (path.startsWith('/run/')) t.ok(secrets.includes(path.replace('/run/secrets/', '')), path);
    }
  }
  t.end();
});

t.test('ports, paths, users and times are those of the server', (t) => {
  const { securityContext, containers, volumes, terminationGracePeriodSeconds } = podOf('Deployment');
  const [api] = containers;
  const dockerfile = read('Dockerfile');
  const config = readConfig(manifest('ConfigMap')['data']);
  const ports = Object.fromEntries(api.ports.map((port: Manifest) => [port['name'], port['containerPort']]));
  t.strictSame(ports, { http: config.port, metrics: config.metricsPort });
  t.match(dockerfile, `EXPOSE ${config.port}\n`);
  const plugin = readFileSync(join(root, 'plugins/health.ts'), 'utf8');
  for (const probe of ['livenessProbe', 'startupProbe', 'readinessProbe']) {
    t.match(plugin, `app.get('${api[probe].httpGet.path}'`);
    t.equal(api[probe].httpGet.port, 'http');
  }
  const [mount] = api.volumeMounts;
  t.match(dockerfile, `DATA_DIR=${mount.mountPath} `);
  t.ok(volumes.some(({ name }: Manifest) => name === mount.name));
  // Of its images the user `node` is this one.
  t.match(dockerfile, '\nUSER node\n');
  for (const pod of [podOf('Deployment'), podOf('Job')]) {
    t.match(pod['securityContext'], { runAsNonRoot: true, runAsUser: 1000 });
    t.match(pod['containers'][0].securityContext, { readOnlyRootFilesystem: true, allowPrivilegeEscalation: false });
    t.match(pod['containers'][0].image, new RegExp(`:${readVersion()}$`));
  }
  t.equal(securityContext.fsGroup, 1000);
  // What src/start-server.ts takes to stop.
  const source = readFileSync(join(root, 'src/start-server.ts'), 'utf8');
  const of = (name: string) =>
    Number(new RegExp(`^const ${name} = ([\\d_]+);`, 'm').exec(source)?.[1]?.replace('_', '')) / 1000;
  const seconds = of('LINGER') + 2 * of('GRACE');
  t.ok(config.shutdownDelay + seconds < terminationGracePeriodSeconds, `${seconds}`);
  const composed = readConfig({ SHUTDOWN_DELAY: compose.services['api-1']?.['environment'].SHUTDOWN_DELAY });
  t.ok(composed.shutdownDelay + seconds < Number.parseInt(compose.services['api-1']?.['stop_grace_period'], 10));
  t.end();
});

t.test('what they select, mount and run is there', (t) => {
  const labels = manifest('Deployment')['spec'].template.metadata.labels;
  for (const selector of [
    manifest('Deployment')['spec'].selector.matchLabels,
    manifest('Service')['spec'].selector,
    manifest('PodDisruptionBudget')['spec'].selector.matchLabels,
    manifest('NetworkPolicy')['spec'].podSelector.matchLabels,
  ]) {
    t.strictSame(selector, labels);
  }
  t.notSame(manifest('Job')['spec'].template.metadata.labels, labels, 'nobody asks the job');
  const { service } = manifest('Ingress')['spec'].rules[0].http.paths[0].backend;
  t.equal(service.name, manifest('Service')['metadata'].name);
  t.equal(service.port.name, manifest('Service')['spec'].ports[0].name);
  const commands = [podOf('Job')['containers'][0].command, compose.services['migrate']?.['command']] as string[][];
  for (const command of commands) {
    t.strictSame(command.slice(0, -1), ['node', '--enable-source-maps']);
    t.ok(existsSync(join(root, command.at(-1) ?? '')), command.join(' '));
  }
  const backup = podOf('CronJob');
  const keys = Object.keys(manifest('Secret')['stringData']);
  t.ok(keys.includes(backup['containers'][0].env[0].value.split('/').at(-1)));
  t.equal(backup['volumes'][0].persistentVolumeClaim.claimName, manifest('PersistentVolumeClaim')['metadata'].name);
  for (const { image, command = [], depends_on: needs = {}, volumes = [], secrets = [] } of Object.values(
    compose.services,
  )) {
    for (const name of Array.isArray(needs) ? needs : Object.keys(needs)) t.ok(compose.services[name], name);
    for (const volume of volumes as string[]) {
      const [source = ''] = volume.split(':');
      t.ok(
        source.startsWith('.') ? existsSync(join(root, 'deploy/compose', source)) : source in compose.volumes,
        volume,
      );
    }
    for (const secret of secrets as string[]) t.ok(compose.secrets[secret], secret);
    if (/^postgres/.test(image))
      t.equal(image, backup['containers'][0].image, 'pg_dump is of the version of its server');
    t.type(command, Array);
  }
  const proxy = read('compose/nginx.conf');
  for (const [, host = '', port] of proxy.matchAll(/^ {2}server (\S+):(\d+)/gm)) {
    t.ok(compose.services[host], host);
    t.equal(Number(port), readConfig({}).port);
  }
  for (const [, path = ''] of proxy.matchAll(/\/run\/secrets\/(\w+)/g)) {
    t.ok(compose.services['proxy']?.['secrets'].includes(path), path);
  }
  const page = readFileSync(join(root, 'docs/deploy.md'), 'utf8');
  for (const { file } of Object.values(compose.secrets)) {
    t.ok(
      page.includes(`${dirname(file).replace('./', 'deploy/compose/')}`) && page.includes(file.split('/').at(-1) ?? ''),
      file,
    );
  }
  t.end();
});
