import { existsSync } from 'node:fs';

/** The service that is watched. It is down while a file says so. */
export function handler() {
  const isDown = existsSync('../../data/service-is-down');
  return new Response(isDown ? 'down' : 'up', { status: isDown ? 503 : 200 });
}
