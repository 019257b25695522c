// What both Node services need of HTTP: routes, JSON, CORS, a page that lists the routes, a decent end.
import http from 'node:http';
import { env, listEnv, numberEnv } from './env.js';

const LEVELS = ['error', 'warn', 'info', 'debug'];
const MAX_BODY_BYTES = 1024 * 1024;

export class HttpError extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

export function log(level, message) {
  const wanted = LEVELS.indexOf(env('LOG_LEVEL', 'info').toLowerCase());
  if (LEVELS.indexOf(level) > (wanted < 0 ? LEVELS.indexOf('info') : wanted)) return;
  console.log(JSON.stringify({ time: new Date().toISOString(), level, message }));
}

export async function readBody(request) {
  const chunks = [];
  let size = 0;
  for await (const chunk of request) {
    size += chunk.length;
    if (size > MAX_BODY_BYTES) throw new HttpError(413, 'the body is too large');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

export async function readJson(request) {
  try {
    return JSON.parse(await readBody(request));
  } catch (error) {
    throw error instanceof HttpError ? error : new HttpError(400, 'the body is not JSON');
  }
}

/**
 * Serves `routes`, a map of 'GET /path' to handler(request, url). A handler returns what is sent as JSON,
 * or {status, text, type} for anything else. `otherwise` takes what no route fits.
 */
export function serve({ service, port, routes, otherwise }) {
  const allRoutes = { ...routes, ...docs(service, routes) };
  const notFound = () => {
    throw new HttpError(404, 'not found');
  };
  const server = http.createServer(async (request, response) => {
    let answer;
    try {
      allowOrigin(request, response);
      const url = new URL(request.url, 'http://localhost');
      const handler = allRoutes[`${request.method} ${url.pathname}`] ?? otherwise ?? notFound;
      answer = request.method === 'OPTIONS' ? { status: 204, text: '' } : await handler(request, url);
    } catch (error) {
      const known = error instanceof HttpError;
      if (!known) log('error', `${request.method} failed: ${error.code ?? error.name}`);
      answer = { status: known ? error.status : 500, text: JSON.stringify({ error: known ? error.message : 'internal error' }) };
    }
    const { status = 200, text = JSON.stringify(answer), type = 'application/json' } = answer.text === undefined ? {} : answer;
    response.writeHead(status, { 'content-type': type }).end(text);
    log('debug', `${request.method} ${status}`);
  });
  server.listen(numberEnv('PORT', port), () => log('info', `${service} listens on ${server.address().port}`));
  for (const signal of ['SIGTERM', 'SIGINT']) {
    process.once(signal, () => {
      server.close(() => process.exit(0));
      server.closeIdleConnections();
    });
  }
  return server;
}

function allowOrigin(request, response) {
  const { origin } = request.headers;
  const allowed = listEnv('CORS_ORIGIN');
  if (!origin || (allowed.length > 0 && !allowed.includes('*') && !allowed.includes(origin))) return;
  response.setHeader('access-control-allow-origin', origin);
  response.setHeader('access-control-allow-headers', 'authorization, content-type, x-api-key');
  response.setHeader('access-control-allow-methods', 'GET, POST, OPTIONS');
  response.setHeader('vary', 'origin');
}

function docs(service, routes) {
  if (env('SWAGGER_ENABLED', 'true') === 'false') return {};
  const items = Object.keys(routes).map((route) => `<li><code>${route}</code></li>`).join('');
  const text = `<!doctype html><title>${service}</title><h1>${service}</h1><ul>${items}</ul>`;
  return { [`GET /${env('SWAGGER_PATH', 'api/docs')}`]: () => ({ text, type: 'text/html; charset=utf-8' }) };
}
