import type { FastifyRequest } from 'fastify';
import { BlockList, isIP } from 'node:net';

/** An address as proxies write it, without quotes, brackets and port. */
export function bareAddress(text: string): string {
  const address = text.replaceAll('"', '').trim();
  return isIP(address) > 0 ? address : (/^\[?([^\]]+?)\]?(?::\w+)?$/.exec(address)?.[1] ?? address);
}

/** Networks that have a name. */
const NAMED: Readonly<Record<string, readonly string[]>> = {
  linklocal: ['169.254.0.0/16', 'fe80::/10'],
  loopback: ['127.0.0.0/8', '::1'],
  uniquelocal: ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', 'fc00::/7'],
};

type Trust = false | ((address: string, hop: number) => boolean);

/**
 * Fastify's `trustProxy`, which takes a number for none.
 * @param proxies whose `X-Forwarded-*` count: a number of them, or those in the networks
 */
export function trustOf(proxies: number | readonly string[]): Trust {
  if (proxies === 0) return false;
  return typeof proxies === 'number' ? (_address, hop) => hop < proxies : inNetworks(proxies);
}

/** Tells whether an address, as proxies write it, is in one of the networks. */
export function inNetworks(networks: readonly string[]): (address: string) => boolean {
  const list = new BlockList();
  for (const network of networks.flatMap((each) => NAMED[each] ?? [each])) {
    const [address = '', bits] = network.split('/');
    const family = isIP(address) === 4 ? 'ipv4' : 'ipv6';
    list.addSubnet(address, Number(bits ?? (family === 'ipv4' ? 32 : 128)), family);
  }
  return (text) => {
    const address = bareAddress(text);
    const family = isIP(address);
    return family > 0 && list.check(address, family === 4 ? 'ipv4' : 'ipv6');
  };
}

/** The name or address of a server with its port (RFC 3986, section 3.2), without what no server is called by. */
const HOST = /^(?:[\w.-]{1,255}|\[[\da-f:.]{2,45}\])(?::\d{1,5})?$/i;

/** What has more than digits and is no address; of swarms of containers a name may end with a number, which `URL` takes for one. */
const NAME = /^[\d.]*[a-z_-][\w.-]*/i;

/** Not a port or an address that there can not be either: URLs with them could not be read. */
export const isHost = (text: string): boolean => HOST.test(text) && URL.canParse(`http://${text.replace(NAME, 'a')}`);

/**
 * Scheme and host that a request was sent to, as it says, for the URLs in its answer: with what it says of an impossible
 * or another host they would lead to whom the sender likes.
 * @param hosts those that the server is called by, in lower case; null: any
 */
export function originOf(request: FastifyRequest, hosts: readonly string[] | null): string {
  const host = request.host.toLowerCase();
  const isKnown = hosts === null ? isHost(host) : hosts.includes(host);
  const scheme = request.protocol.toLowerCase();
  const isWeb = scheme === 'http' || scheme === 'https';
  const { socket } = request;
  return `${isWeb ? scheme : 'encrypted' in socket ? 'https' : 'http'}://${isKnown ? host : (hosts?.[0] ?? `localhost:${socket.localPort}`)}`;
}
