// What the environment of a function keeps from its code.

import { environment } from './call.ts';
import { EvokeError } from './error.ts';

/** Secrets and variables of the function. */
export interface Secrets {
  /**
   * The value of a name, as the manifest's `environment` gives it.
   *
   * @throws EvokeError where there is none, with the nearest name there is.
   */
  get(name: string): string;
  /** Whether there is one. */
  has(name: string): boolean;
}

export const secrets: Secrets = {
  get(name) {
    const variables = environment();
    const value = variables[name];
    if (value !== undefined) return value;
    const near = nearestOf(name, Object.keys(variables));
    const hint = near === undefined ? '' : ` (did you mean ${near}?)`;
    throw new EvokeError(
      `there is no secret ${JSON.stringify(name)}${hint}: ` +
        `the manifest has to name it, environment: { ${name}: "\${secrets.${name}}" }`,
    );
  },
  has: (name) => environment()[name] !== undefined,
};

/** The name that was probably meant. */
export function nearestOf(name: string, names: string[]): string | undefined {
  const wanted = name.toLowerCase();
  const far = Math.max(2, Math.floor(name.length / 3));
  const rated = names.map((name) => ({ name, far: lettersBetween(name.toLowerCase(), wanted) }));
  const near = rated.filter((one) => one.far <= far).sort((a, b) => a.far - b.far)[0];
  return near?.name;
}

/** How many letters differ (Levenshtein). */
function lettersBetween(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, at) => at);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const changed = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next[j] = Math.min((next[j - 1] as number) + 1, (row[j] as number) + 1, changed);
    }
    row = next;
  }
  return row[b.length] as number;
}
