// speaker-service: keeps the speakers. Its table is made by the migration, not by the service (prisma/schema.prisma).
import { readFileSync } from 'node:fs';
import { env, requireEnv, start } from '../../../libs/js/env.js';
import { amqpCheck, report } from '../../../libs/js/health.js';
import { HttpError, log, readJson, serve } from '../../../libs/js/server.js';

const SERVICE = 'speaker-service';
const TABLE_IS_MISSING = '42P01';
const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));

start(SERVICE, () => {
  const query = makeQuery(requireEnv('DATABASE_URL'));
  const broker = env('RABBITMQ_URL');
  if (!broker) log('warn', 'RABBITMQ_URL is not set: events are off');

  const health = () =>
    report(SERVICE, version, {
      postgresql: () => query('SELECT 1'),
      rabbitmq: broker ? () => amqpCheck(broker) : 'off',
    });

  serve({
    service: SERVICE,
    port: 3001,
    routes: {
      'GET /api/v1/health': health,
      'GET /api/v1/health/ready': health,
      'GET /api/v1/health/live': () => report(SERVICE, version, {}),
      'GET /api/v1/speakers': () => query('SELECT id, name FROM speakers ORDER BY id LIMIT 100'),
      'POST /api/v1/speakers': async (request) => {
        const { name } = (await readJson(request)) ?? {};
        if (typeof name !== 'string' || !name) throw new HttpError(400, 'name must be a text');
        const [speaker] = await query('INSERT INTO speakers (name) VALUES ($1) RETURNING id, name', [name]);
        return { status: 201, text: JSON.stringify(speaker) };
      },
    },
  });
});

/** A function that asks PostgreSQL; the driver is loaded with the first question, so that health can tell when it is missing. */
function makeQuery(url) {
  if (!/^postgres(ql)?:\/\//.test(url)) throw new Error('DATABASE_URL must begin with postgresql://');
  let pool;
  return async (text, values) => {
    const { default: pg } = await import('pg');
    if (!pool) {
      // pg takes 'require' for 'verify-full' and warns of it at each start; this says the same without the warning.
      const connectionString = url.replace('sslmode=require', 'sslmode=verify-full');
      pool = new pg.Pool({ connectionString, connectionTimeoutMillis: 3000, max: 10 });
      pool.on('error', (error) => log('warn', `postgresql: an idle connection broke: ${error.code ?? error.name}`));
    }
    try {
      return (await pool.query(text, values)).rows;
    } catch (error) {
      if (error.code === TABLE_IS_MISSING) throw new HttpError(503, 'the table speakers is missing: run the migration');
      throw error;
    }
  };
}
