// api-gateway: the one service the world can reach. Lets known callers through to the four others.
import { readFileSync } from 'node:fs';
import { env, listEnv, numberEnv, requireEnv, start } from '../../../libs/js/env.js';
import { httpCheck, reason, report } from '../../../libs/js/health.js';
import { HttpError, log, readBody, serve } from '../../../libs/js/server.js';
import { makeAuth, seconds } from './auth.js';

const SERVICE = 'api-gateway';
const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));

start(SERVICE, () => {
  const auth = makeAuth(requireEnv('JWT_SECRET'), listEnv('API_KEYS'), seconds(env('JWT_EXPIRES_IN', '24h')));
  const throttle = makeThrottle(numberEnv('THROTTLE_TTL', 60000), numberEnv('THROTTLE_LIMIT', 100));
  const services = {
    'speaker-service': { url: env('SPEAKER_SERVICE_URL', 'http://localhost:3001'), health: '/api/v1/health', path: 'speakers' },
    'draft-service': { url: env('DRAFT_SERVICE_URL', 'http://localhost:3002'), health: '/health', path: 'drafts' },
    'rag-service': { url: env('RAG_SERVICE_URL', 'http://localhost:3003'), health: '/health', path: 'dfns' },
    'evaluation-service': { url: env('EVALUATION_SERVICE_URL', 'http://localhost:3004'), health: '/health', path: 'evaluations' },
  };
  const checks = Object.fromEntries(
    Object.entries(services).map(([name, { url, health }]) => [name, () => httpCheck(new URL(health, url))]),
  );

  const forward = async (request, url) => {
    throttle(request);
    const target = Object.values(services).find(({ path }) => url.pathname.split('/')[3] === path);
    if (!url.pathname.startsWith('/api/v1/') || !target) throw new HttpError(404, 'not found');
    if (!auth.passes(request)) throw new HttpError(401, 'send an x-api-key, or a bearer token from /api/v1/auth/token');
    const body = request.method === 'GET' ? undefined : await readBody(request);
    try {
      const answer = await fetch(new URL(url.pathname + url.search, target.url), {
        method: request.method,
        headers: { 'content-type': 'application/json' },
        body,
        signal: AbortSignal.timeout(30000),
      });
      return { status: answer.status, text: await answer.text() };
    } catch (error) {
      log('warn', `${target.path}: no answer: ${reason(error)}`);
      throw new HttpError(502, 'the service behind does not answer');
    }
  };

  serve({
    service: SERVICE,
    port: 3000,
    routes: {
      // The gateway's own health asks nobody: a probe of it every few seconds must not become a probe of everything.
      'GET /api/v1/health': () => report(SERVICE, version, {}),
      'GET /api/v1/health/services': () => report(SERVICE, version, checks),
      'POST /api/v1/auth/token': (request) => {
        throttle(request);
        if (!auth.hasKey(request)) throw new HttpError(401, 'send an x-api-key');
        return auth.token();
      },
    },
    otherwise: forward,
  });
});

/** At most `limit` requests per caller in each window of `ttl` milliseconds. The ingress adds the caller's address last. */
function makeThrottle(ttl, limit) {
  const seen = new Map();
  let windowEnd = 0;
  return (request) => {
    if (Date.now() >= windowEnd) {
      seen.clear();
      windowEnd = Date.now() + ttl;
    }
    const caller = request.headers['x-forwarded-for']?.split(',').at(-1).trim() ?? request.socket.remoteAddress;
    seen.set(caller, (seen.get(caller) ?? 0) + 1);
    if (seen.get(caller) > limit) throw new HttpError(429, 'too many requests');
  };
}
