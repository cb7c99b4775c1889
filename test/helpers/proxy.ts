import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import type { Test } from 'tap';

export interface Proxy {
  /** The server's URL by way of the proxy. */
  readonly url: string;
  /** Ends all connections and refuses new ones, as a server that is down does. */
  cut(): Promise<void>;
  restore(): Promise<void>;
  /** From now on takes connections and bytes, and passes on none, as a network that swallows them does. */
  mute(): void;
  /** From now on passes on nothing over the connections that are open, as a firewall that forgot them does. */
  forget(): void;
}

/** Stands in front of a server so that it can be away without being stopped. It starts cut. */
export async function openProxy(t: Test, target: string): Promise<Proxy> {
  const { hostname, port } = new URL(target);
  const sockets = new Set<Socket>();
  let forgotten = new Set<Socket>();
  let isMute = false;
  let server: Server | undefined;

  const keep = (socket: Socket): Socket => {
    sockets.add(socket);
    return socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
  };
  const pass = (from: Socket, to: Socket): void => {
    from.on('data', (chunk) => void (isMute || forgotten.has(from) || to.write(chunk))).on('close', () => to.destroy());
  };
  async function listen(at: number): Promise<number> {
    server = createServer((client) => {
      const upstream = keep(connect(Number(port), hostname));
      pass(keep(client), upstream);
      pass(upstream, client);
    });
    await once(server.listen(at, '127.0.0.1'), 'listening');
    return (server.address() as AddressInfo).port;
  }
  async function cut(): Promise<void> {
    const closed = server?.listening === true ? once(server.close(), 'close') : undefined;
    for (const socket of sockets) socket.destroy();
    await closed;
  }

  const own = await listen(0);
  await cut();
  t.teardown(cut);
  const url = new URL(target);
  url.hostname = '127.0.0.1';
  url.port = String(own);
  return {
    url: url.href,
    cut,
    restore: async () => {
      isMute = false;
      await listen(own);
    },
    mute: () => void (isMute = true),
    forget: () => void (forgotten = new Set(sockets)),
  };
}
