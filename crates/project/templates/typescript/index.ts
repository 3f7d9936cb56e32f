// Called for each event the triggers in function.config.ts match, and by
// `evoke functions invoke {{name}} --data '{"name":"Ada"}'`.

type GreetingEvent = { type?: string; data?: { name?: string } };

export async function handler(event: GreetingEvent) {
  const name = event.data?.name ?? "world";
  console.log(`greeting ${name}`);
  return { message: `Hello, ${name}!` };
}
