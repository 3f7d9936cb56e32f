# Called for each event the triggers in function.yaml match, and by
# `evoke functions invoke {{name}} --data '{"name":"Ada"}'`.


def handler(event, context):
    data = event.get("data") or {}
    name = data.get("name", "world")
    print(f"greeting {name}")
    return {"message": f"Hello, {name}!"}
