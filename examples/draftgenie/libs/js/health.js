// Health: always answered with 200, the truth is in the body. A reason is an error's code or class, never its text:
// a text may quote an address with a password in it.
import net from 'node:net';
import tls from 'node:tls';

const PATIENCE_MS = 3000;

/** `checks`: dependency -> async function, which throws when it is down; or a string to be shown as it is. */
export async function report(service, version, checks) {
  const entries = Object.entries(checks).map(async ([name, check]) => {
    if (typeof check === 'string') return [name, check];
    try {
      await check();
      return [name, 'ok'];
    } catch (error) {
      return [name, `down: ${reason(error)}`];
    }
  });
  const dependencies = Object.fromEntries(await Promise.all(entries));
  const down = Object.values(dependencies).some((state) => state.startsWith('down'));
  return { status: down ? 'degraded' : 'ok', service, version, dependencies };
}

export function reason(error) {
  return error.reason ?? error.code ?? error.cause?.code ?? error.name;
}

function fault(text) {
  return Object.assign(new Error(text), { reason: text });
}

/** The health of another service: down when it does not answer, and when it says itself that it is not well. */
export async function httpCheck(url) {
  const response = await fetch(url, { signal: AbortSignal.timeout(PATIENCE_MS) });
  if (!response.ok) throw fault(`HTTP ${response.status}`);
  const body = await response.json();
  if (body.status !== 'ok') throw fault(`status ${body.status === 'degraded' ? 'degraded' : 'unknown'}`);
}

/** Greets a broker and waits for its first frame: a proxy in between accepts a connection even when nobody is behind. */
export function amqpCheck(url) {
  const { protocol, hostname, port } = new URL(url);
  const secure = protocol === 'amqps:';
  return new Promise((resolve, reject) => {
    const options = { host: hostname, port: Number(port) || (secure ? 5671 : 5672), servername: hostname };
    const socket = secure ? tls.connect(options) : net.connect(options);
    const end = (settle, value) => {
      socket.destroy();
      settle(value);
    };
    socket.setTimeout(PATIENCE_MS, () => end(reject, fault('ETIMEDOUT')));
    socket.once('error', (error) => end(reject, error));
    socket.once('close', () => end(reject, fault('closed without a greeting')));
    socket.once('data', (data) => (data[0] === 1 ? end(resolve) : end(reject, fault('not AMQP 0-9-1'))));
    socket.write('AMQP\x00\x00\x09\x01');
  });
}
