import { existsSync } from 'node:fs';

/** The service that is watched. It is down while a file says so. */
export function handler() {
  const isDown = existsSync(new URL('../../data/service-is-down', import.meta.url));
  return new Response(isDown ? 'down' : 'up', { status: isDown ? 503 : 200 });
}
