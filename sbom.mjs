/** `npm run sbom`: writes what the program is made of, as CycloneDX has it, and checks that it names all of it. */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';

const FILE = 'sbom.cdx.json';

if (process.argv.includes('--help')) {
  process.stdout.write(
    `Writes ${FILE}: the packages that the server runs on, as CycloneDX has it.\n\n  npm run sbom\n`,
  );
  process.exit(0);
}

const [command, ...args] = process.env.npm_execpath ? [process.execPath, process.env.npm_execpath] : ['npm'];
const bom = JSON.parse(
  execFileSync(command, [...args, 'sbom', '--sbom-format', 'cyclonedx', '--package-lock-only'], {
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
    stdio: ['ignore', 'pipe', 'inherit'],
  }),
);
// npm's --omit dev leaves out what both the server and its tools stand on, so what is needed is read from the lock file.
const { packages } = JSON.parse(readFileSync('package-lock.json', 'utf8'));
const needed = new Set(
  Object.entries(packages)
    .filter(([path, { dev }]) => path !== '' && !dev)
    .map(([path, { name = path.replace(/^.*node_modules\//, ''), version }]) => `pkg:npm/${name}@${version}`),
);
const purlOf = ({ purl }) => decodeURIComponent(purl);
bom.components = bom.components.filter((component) => needed.has(purlOf(component)));
const kept = new Set([bom.metadata.component, ...bom.components].map((component) => component['bom-ref']));
bom.dependencies = bom.dependencies
  .filter(({ ref }) => kept.has(ref))
  .map((entry) => ({ ...entry, dependsOn: entry.dependsOn.filter((ref) => kept.has(ref)) }));
// Where this machine had the packages from, and when, is no part of what they are.
delete bom.serialNumber;
delete bom.metadata.timestamp;
// By npm that of the folder.
bom.metadata.component.name = packages[''].name;
for (const component of [bom.metadata.component, ...bom.components]) {
  component.properties = component.properties?.filter(({ name }) => name !== 'cdx:npm:package:path');
  component.externalReferences = component.externalReferences?.filter(({ type }) => type !== 'distribution');
}

const named = new Set(bom.components.map(purlOf));
const missing = [...needed].filter((purl) => !named.has(purl));
if (missing.length > 0) {
  process.stderr.write(`${FILE} would lack ${missing.join(', ')}\n`);
  process.exit(1);
}
writeFileSync(FILE, `${JSON.stringify(bom, undefined, 2)}\n`);
process.stdout.write(`${FILE} names ${bom.components.length} packages.\n`);
