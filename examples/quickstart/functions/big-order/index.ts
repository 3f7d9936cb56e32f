type Order = { id: string; customer: string; total: number };
type OrderEvent = { id: string; type: string; data: Order };
type Context = { attempt: number; executionId: string };

/** Runs for orders over 100. What it returns is kept in the record of the execution. */
export async function handler(event: OrderEvent, context: Context) {
  const { id, customer, total } = event.data;
  console.log(`order ${id} of ${customer}: ${total}, attempt ${context.attempt}`);
  return { order: id, discount: Math.round(total * 0.1), runtime: `bun ${Bun.version}` };
}
