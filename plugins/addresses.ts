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

type Trust = boolean | ((address: string, hop: number) => boolean);

/**
 * Fastify's `trustProxy`, which takes a number for none.
 * @param proxies whose `X-Forwarded-*` count: all, none, a number of them, or those in the networks
 */
export function trustOf(proxies: boolean | number | readonly string[]): Trust {
  if (typeof proxies === 'boolean') return proxies;
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
