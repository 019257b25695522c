// The environment, read once at start. An empty value counts as absent.

export function env(name, fallback) {
  return process.env[name] || fallback;
}

export function requireEnv(name) {
  const value = process.env[name];
  if (!value) throw new Error(`the environment variable ${name} is required and not set`);
  return value;
}

export function numberEnv(name, fallback) {
  const value = Number(env(name, fallback));
  if (!Number.isInteger(value) || value < 0) throw new Error(`the environment variable ${name} must be a whole number`);
  return value;
}

/** A comma list; empty when the variable is absent. */
export function listEnv(name) {
  return env(name, '').split(',').map((item) => item.trim()).filter(Boolean);
}

/** Runs a service's start; a fault of the configuration ends it with one line instead of a stack trace. */
export async function start(service, main) {
  try {
    await main();
  } catch (error) {
    console.error(`${service} cannot start: ${error.message}`);
    process.exit(1);
  }
}
