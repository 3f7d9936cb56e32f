// What the guide's examples use of Node.

declare const process: { env: Record<string, string | undefined> };
