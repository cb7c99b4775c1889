import Fastify from 'fastify';
import t from 'tap';
import { bareAddress, inNetworks, isHost } from '../../plugins/addresses.js';

t.test('an address without what proxies add', (t) => {
  for (const [text, address] of [
    ['192.0.2.1', '192.0.2.1'],
    ['192.0.2.1:80', '192.0.2.1'],
    ['"192.0.2.1:80"', '192.0.2.1'],
    [' 192.0.2.1\t', '192.0.2.1'],
    ['2001:db8::1', '2001:db8::1'],
    ['[2001:db8::1]', '2001:db8::1'],
    ['"[2001:db8::1]:_x"', '2001:db8::1'],
    ['1:2:3:4:5:6:7:8:80', '1:2:3:4:5:6:7:8'],
    ['fe80::1%eth0', 'fe80::1%eth0'],
    ['unknown', 'unknown'],
    ['', ''],
    [':', ':'],
  ] as const) {
    t.equal(bareAddress(text), address, text);
  }
  t.end();
});

t.test('the name of a server is one that URLs can have', (t) => {
  for (const host of ['localhost', 'api.example.com:8000', 'my_host', '192.0.2.1:65535', '[::1]', '[2001:db8::1]:80']) {
    t.ok(isHost(host), host);
    t.ok(URL.canParse(`http://${host}/`), host);
  }
  t.ok(isHost('hospital_api.2:8000'), 'a container of a swarm');
  for (const host of [
    ...['', 'a b', 'a/b', 'x@y', 'é', 'x:', 'x:port', 'a?b', 'a#b', ':80'],
    ...['x:65536', 'x:99999', '192.0.2.256', '[::1::2]', '[12345::]', '[::1'],
  ]) {
    t.notOk(isHost(host), host);
  }
  t.end();
});

t.test('networks', (t) => {
  const holds = inNetworks(['loopback', 'uniquelocal', '192.0.2.7', '2001:db8::/32']);
  for (const address of [
    '127.0.0.1',
    '::1',
    '::ffff:127.0.0.1',
    '10.1.2.3:443',
    '[fd00::1]:443',
    '192.0.2.7',
    '2001:DB8::9',
  ]) {
    t.ok(holds(address), address);
  }
  for (const address of ['192.0.2.8', '169.254.0.1', '2001:db9::1', 'unknown', '', '10.1.2.3.4', '::ffff:192.0.2.8']) {
    t.notOk(holds(address), address);
  }
  t.end();
});

t.test("a request's address is that before all trusted proxies, which may name their ports", async (t) => {
  const app = Fastify({ trustProxy: inNetworks(['loopback', '10.0.0.0/8']) });
  t.teardown(() => app.close());
  app.get('/', ({ ip }) => ip);
  for (const [forwarded, ip] of [
    ['192.0.2.1', '192.0.2.1'],
    ['192.0.2.1:5, 10.0.0.2:443', '192.0.2.1:5'],
    ['203.0.113.9, 192.0.2.1, ::ffff:10.0.0.2, [::ffff:10.0.0.3]:80', '192.0.2.1'],
    ['10.0.0.9, 192.0.2.1', '192.0.2.1'],
    ['', '127.0.0.1'],
  ] as const) {
    t.equal((await app.inject({ url: '/', headers: { 'x-forwarded-for': forwarded } })).payload, ip, forwarded);
  }
});
