# The request a handler gets.


class Headers(dict):
    """Headers by name, whatever its case. Several values of one name are joined; `get_all` has
    each."""

    def __init__(self, pairs):
        super().__init__()
        self.pairs = pairs
        for name, value in pairs:
            key = name.lower()
            dict.__setitem__(self, key, f"{self[key]}, {value}" if key in self else value)

    def __getitem__(self, name):
        return dict.__getitem__(self, name.lower())

    def __contains__(self, name):
        return dict.__contains__(self, name.lower())

    def get(self, name, default=None):
        return dict.get(self, name.lower(), default)

    def get_all(self, name):
        return [value for key, value in self.pairs if key.lower() == name.lower()]


class Request:
    """What a handler of an HTTP function gets."""

    def __init__(self, raw, body):
        self._raw = raw
        self.method = raw["method"]
        self.url = raw["url"]
        self.params = raw.get("params") or {}
        self.body = body
        self._headers = None

    @property
    def headers(self):
        if self._headers is None:
            self._headers = Headers(self._raw["headers"])
        return self._headers

    @property
    def path(self):
        from urllib.parse import unquote, urlsplit

        return unquote(urlsplit(self.url).path)

    @property
    def query(self):
        """The query's parameters, the last value of each; `query_all` has lists."""
        return {name: values[-1] for name, values in self.query_all.items()}

    @property
    def query_all(self):
        from urllib.parse import parse_qs, urlsplit

        return parse_qs(urlsplit(self.url).query, keep_blank_values=True)

    def text(self):
        return self.body.decode("utf-8", "replace")

    def json(self):
        return json.loads(self.body)

    def form(self):
        """The fields of an URL-encoded form."""
        from urllib.parse import parse_qsl

        return dict(parse_qsl(self.text(), keep_blank_values=True))
