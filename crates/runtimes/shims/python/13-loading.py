# From the name of a handler to the function, or to a sentence that says why there is none.

handler = None
arity = 2
runs_on_loop = False


class Refusal(Exception):
    """Why there is no handler, in one sentence."""


def load(message):
    global handler, arity, runs_on_loop
    about.update(message)
    try:
        os.environ.update(message.get("environment") or {})
        os.environ["EVOKE_URL"] = message["url"]
        os.environ["EVOKE_FUNCTION"] = message["function"]
        code = message["code"]
        os.chdir(message.get("directory") or code)
        # The pyc of a file that is saved twice in one second would be taken for that of both.
        sys.dont_write_bytecode = True
        # What is compiled already is found where it is: beside the modules of the language and of
        # the packages that were installed. All of that would be compiled anew for each worker.
        sys.pycache_prefix = None
        sys.path[0:1] = [code, os.path.join(code, ".evoke", "python")]
        handler = find(code, message["handler"])
        arity, runs_on_loop = called_with(handler)
        output.put(LOADED, 0, b"")
    except Refusal as error:
        output.put(LOAD_FAILED, 0, encode({"message": str(error)}).encode("utf-8", "replace"))
    except BaseException as error:
        told = describe(error)
        message = f"{told['type']}: {told['message']}"
        if isinstance(error, SystemExit):
            message = f"the code called sys.exit({error.code!r}) while it was loaded"
        output.put(
            LOAD_FAILED,
            0,
            encode({"message": message, "stack": told.get("stack")}).encode("utf-8", "replace"),
        )


def called_with(function):
    try:
        return shape(function)
    except TypeError as error:
        raise Refusal(str(error)) from None


def find(code, name):
    """The function that a handler like `src/main.handler` names."""
    import importlib
    import importlib.util

    file, _, wanted = name.rpartition(".")
    if not file:
        file, wanted = name, "handler"
    places = [file + ".py", file.replace(".", "/") + ".py", file.replace(".", "/") + "/__init__.py"]
    path = next((place for place in places if os.path.isfile(os.path.join(code, place))), None)
    if path is None:
        raise Refusal(f'the handler "{name}" needs a file {file}.py in {code}; there is none')
    module_name = file.replace("/", ".")
    if module_name in sys.modules or path == places[0] and "." in file:
        # A name that is taken by a module of the language, or is no name of a module.
        spec = importlib.util.spec_from_file_location(
            "function_" + module_name.replace(".", "_"), os.path.join(code, path)
        )
        module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    else:
        module = importlib.import_module(module_name)
    found = getattr(module, wanted, None)
    if callable(found):
        return found
    raise Refusal(refusal(module, wanted, path))


def refusal(module, wanted, path):
    import difflib

    if hasattr(module, wanted):
        return f'"{wanted}" of {path} is a {type(getattr(module, wanted)).__name__}, not a function'
    own = lambda value: getattr(value, "__module__", None) == module.__name__
    names = [
        name
        for name, value in vars(module).items()
        if callable(value) and own(value) and not name.startswith("_")
    ]
    if not names:
        return f'{path} defines no function; the handler needs it to define "{wanted}"'
    near = difflib.get_close_matches(wanted, names, 1)
    return f'"{wanted}" is not defined by {path}, which defines {", ".join(names)}' + (
        f'; did you mean "{near[0]}"?' if near else ""
    )
