import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

/** Makes a certificate and its key; by an authority of the same folder, or of one that signs itself. */
export function makeCertificate(folder: string, name: string, alternatives: string, authority?: string): void {
  const path = (file: string): string => join(folder, file);
  const args = [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'],
    ...['-subj', `/CN=${name}`, '-keyout', path(`${name}.key`), '-out', path(`${name}.pem`)],
    ...(authority === undefined ? [] : ['-CA', path(`${authority}.pem`), '-CAkey', path(`${authority}.key`)]),
    ...(alternatives === '' ? [] : ['-addext', `subjectAltName=${alternatives}`]),
    ...(authority === undefined ? [] : ['-addext', 'basicConstraints=critical,CA:FALSE']),
  ];
  // What it says goes into the error, where there is one.
  execFileSync('openssl', args, { stdio: 'pipe' });
}
