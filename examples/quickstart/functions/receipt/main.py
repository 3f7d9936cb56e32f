"""Writes a receipt for every order. An order without a customer fails, is tried three times and
then waits as a dead letter."""

import platform


async def handler(event, context):
    order = event["data"]
    if "customer" not in order:
        raise ValueError(f"order {order['id']} has no customer")
    print(f"receipt for {order['customer']}")
    return {
        "receipt": f"{order['customer']} paid {order['total']}",
        "runtime": f"python {platform.python_version()}",
    }
