// Who may pass: the holder of one of API_KEYS, or of a token (JWT, HS256) that this gateway gave for such a key.
import { createHmac, timingSafeEqual } from 'node:crypto';

const UNIT_SECONDS = { s: 1, m: 60, h: 3600, d: 86400 };

export function seconds(duration) {
  const [, count, unit] = /^(\d+)([smhd])$/.exec(duration) ?? [];
  if (!unit) throw new Error('JWT_EXPIRES_IN must be a number with s, m, h or d, such as 24h');
  return Number(count) * UNIT_SECONDS[unit];
}

export function makeAuth(secret, apiKeys, lifetime) {
  const sign = (text) => createHmac('sha256', secret).update(text).digest('base64url');
  const same = (left, right) => timingSafeEqual(Buffer.from(sign(left)), Buffer.from(sign(right)));
  const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const hasKey = (request) => apiKeys.some((key) => same(key, request.headers['x-api-key'] ?? ''));

  const hasToken = (request) => {
    const token = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1] ?? '';
    const [header, payload, signature] = token.split('.');
    if (!signature || !same(sign(`${header}.${payload}`), signature)) return false;
    return JSON.parse(Buffer.from(payload, 'base64url').toString()).exp > Date.now() / 1000;
  };

  return {
    hasKey,
    passes: (request) => hasKey(request) || hasToken(request),
    token: () => {
      const content = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode({ exp: Math.floor(Date.now() / 1000) + lifetime })}`;
      return { token: `${content}.${sign(content)}`, expires_in: lifetime };
    },
  };
}
