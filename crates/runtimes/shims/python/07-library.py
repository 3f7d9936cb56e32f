# The package `evoke`: what a function can use of the server it runs in. It stands beside this file
# and is found where the function has none of its own; nothing of it is loaded before it is used.

from importlib.machinery import FileFinder, SourceFileLoader

library = os.path.join(os.path.dirname(os.path.abspath(__file__)), "python", "evoke")


class Kept(SourceFileLoader):
    """Loads a file of the package and keeps what it was compiled to, which the code of functions
    must not be (see `load`)."""

    def get_code(self, name):
        from importlib.util import cache_from_source

        kept = cache_from_source(self.path)
        try:
            is_there = os.stat(kept).st_mtime >= os.stat(self.path).st_mtime
        except OSError:
            is_there = False
        if not is_there:
            import py_compile

            try:
                py_compile.compile(self.path, kept, quiet=2)
            except OSError:
                pass  # It is compiled anew each time where it cannot be kept.
        return super().get_code(name)


class Library:
    """Finds the package for who finds it nowhere else."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        return library_spec(name) if name == "evoke" else None


def library_spec(name):
    from importlib.util import spec_from_file_location

    file = os.path.join(library, "__init__.py")
    return spec_from_file_location(
        name, file, loader=Kept(name, file), submodule_search_locations=[library]
    )


def install_library():
    for folder in ("", "_async", "_sync", "_web"):
        folder = os.path.join(library, folder) if folder else library
        sys.path_importer_cache[folder] = FileFinder(folder, (Kept, [".py"]))
    sys.meta_path.append(Library)
    worker = sys.modules["_evoke_worker"] = types.ModuleType("_evoke_worker", "For `evoke`.")
    worker.Request, worker.Response, worker.Context = Request, Response, Context
    worker.response_of = response_of
    worker.call = lambda: None if (call := current.get()) is None else call.raw
    worker.context = lambda: None if (call := current.get()) is None else Context(call)
    worker.environment = lambda: about.get("environment") or {}


def package():
    """The package of the server, be a function's own `evoke` another one."""
    from importlib import import_module
    from importlib.util import find_spec, module_from_spec

    spec = find_spec("evoke")
    if spec is not None and spec.origin == os.path.join(library, "__init__.py"):
        return import_module("evoke")
    name = "_evoke_package"
    if name not in sys.modules:
        spec = library_spec(name)
        sys.modules[name] = module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


def client_of(raw):
    """The client a context has. `publish_async` and `invoke_async` are what `aio` has, too."""
    client = package().Client.of_call(raw)

    async def publish_async(*args, **options):
        return await client.aio.events.publish(*args, **options)

    async def invoke_async(*args, **options):
        return await client.aio.functions.invoke(*args, **options)

    client.events.publish_async = publish_async
    client.functions.invoke_async = invoke_async
    return client
