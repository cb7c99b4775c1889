/** deploy/monitoring.ts and the list of metrics -> alert rules, the dashboard, and the page for whoever is on call. */
import { writeFile } from 'node:fs/promises';
import { format, resolveConfig } from 'prettier';
import { stringify } from 'yaml';
import { METRICS } from '../plugins/metrics/list.js';
import { readFlags } from '../src/command-line.js';
import { ALERTS, PANELS, type Alert } from './monitoring.js';

const anchorOf = ({ name }: Alert): string => name.toLowerCase();

/** Rules of Prometheus. */
export function alertRules(): string {
  const rules = ALERTS.map((alert) => ({
    alert: alert.name,
    expr: alert.expr,
    for: alert.for,
    labels: { severity: alert.severity },
    annotations: {
      summary: alert.summary,
      description: `${alert.meaning} ${alert.action}`,
      runbook: `docs/on-call.md#${anchorOf(alert)}`,
    },
  }));
  return `# Made by npm run generate from deploy/monitoring.ts.\n${stringify({ groups: [{ name: 'hospital', rules }] }, { lineWidth: 0 })}`;
}

const [COLUMNS, WIDTH, HEIGHT] = [2, 12, 8];

/** A dashboard of Grafana, to be imported; it asks which Prometheus it is of. */
export function dashboard(): string {
  const datasource = { type: 'prometheus', uid: '${datasource}' };
  const panels = PANELS.map(({ title, unit, queries }, index) => ({
    id: index + 1,
    type: 'timeseries',
    title,
    datasource,
    gridPos: { x: (index % COLUMNS) * WIDTH, y: Math.floor(index / COLUMNS) * HEIGHT, w: WIDTH, h: HEIGHT },
    fieldConfig: { defaults: { unit, min: 0 }, overrides: [] },
    options: { legend: { displayMode: 'list', placement: 'bottom' }, tooltip: { mode: 'multi', sort: 'desc' } },
    targets: queries.map(([expr, legendFormat], place) => ({
      refId: String.fromCharCode(65 + place),
      datasource,
      expr,
      legendFormat,
    })),
  }));
  const variable = { name: 'datasource', type: 'datasource', query: 'prometheus', label: 'Prometheus' };
  return JSON.stringify({
    title: 'Hospital Management API',
    uid: 'hospital-management-api',
    tags: ['hospital'],
    schemaVersion: 39,
    refresh: '30s',
    time: { from: 'now-6h', to: 'now' },
    templating: { list: [variable] },
    panels,
  });
}

/** Markdown. */
export function onCallPage(): string {
  const alerts = ALERTS.map((alert) =>
    [
      `### ${alert.name}`,
      `${alert.summary} ${alert.severity === 'critical' ? '**Somebody is called.**' : 'For office hours.'}`,
      `**What it means.** ${alert.meaning}`,
      `**What to do.** ${alert.action}`,
      `\`\`\`promql\n${alert.expr}\n\`\`\``,
      alert.for === '0m' ? 'It fires at once.' : `It fires once that has been so for ${alert.for}.`,
    ].join('\n\n'),
  );
  const rows = Object.entries(METRICS).map(
    ([name, { kind, labels, help }]) =>
      `| \`${name}\` | ${kind} | ${labels.map((label) => `\`${label}\``).join(', ')} | ${help} |`,
  );
  return [
    '# On call',
    '<!-- Made by npm run generate from deploy/monitoring.ts and plugins/metrics/list.ts. -->',
    'What each alert of [`deploy/alerts.yaml`](../deploy/alerts.yaml) means and what to do. How metrics are read, and the\n' +
      'dashboard, is in [deploy.md](deploy.md#metrics).',
    '## Alerts',
    ...alerts,
    '## Metrics',
    ['| name | kind | labels | what it is |', '| --- | --- | --- | --- |', ...rows].join('\n'),
    'Beside these `/metrics` has what `prom-client` tells of every process: memory, processor time, the event loop, garbage\n' +
      'collection and descriptors.',
  ].join('\n\n');
}

if (process.argv[1] === import.meta.filename) {
  readFlags('Makes deploy/alerts.yaml, deploy/grafana.json and docs/on-call.md.\n', {});
  const files = { 'alerts.yaml': alertRules(), 'grafana.json': dashboard(), '../docs/on-call.md': onCallPage() };
  for (const [name, text] of Object.entries(files)) {
    const target = new URL(name, import.meta.url);
    await writeFile(target, await format(text, { ...(await resolveConfig(target)), filepath: name }));
  }
}
