// What functions can use without an import. Name it once: import "@evoke/sdk/globals";

type Sdk = typeof import('./dist/index.js');

declare global {
  const db: Sdk['db'];
  const storage: Sdk['storage'];
  const auth: Sdk['auth'];
  const events: Sdk['events'];
  const functions: Sdk['functions'];
  const secrets: Sdk['secrets'];
}

export {};
