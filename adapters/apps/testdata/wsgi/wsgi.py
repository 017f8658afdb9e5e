"""The application of the loader tests, for WSGI."""

import os
import sys
import time


class Streamed:
    """A body that is told as it goes, and waits for a file in between."""

    def __init__(self, query):
        self.parts = iter([b"one\n", b"two\n", b""])
        self.query = query

    def __iter__(self):
        return self

    def __next__(self):
        part = next(self.parts)
        if part == b"two\n":
            while not os.path.exists(self.query):
                time.sleep(0.001)
        return part

    def close(self):
        print("closed", file=sys.stderr)


def cut(query):
    yield b"begin"
    raise RuntimeError("cut on purpose")


def application(environ, start_response):
    path, query = environ["PATH_INFO"], environ["QUERY_STRING"]
    status, headers, body = "200 OK", [("Content-Type", "text/plain")], [b"ok\n"]
    if path == "/env":
        lines = sorted("%s=%s\n" % (k, v) for k, v in environ.items() if isinstance(v, str))
        body = [line.encode("latin-1") for line in lines]
    elif path == "/body":
        data = environ["wsgi.input"].read()
        body = [b"%d %d\n" % (len(data), sum(data) % 65521)]
    elif path == "/two-parts":
        body = [b"one,", b"two"]
    elif path == "/stream":
        body = Streamed(query)
    elif path == "/fail":
        raise RuntimeError("failed on purpose")
    elif path == "/exit":
        sys.exit(3)
    elif path == "/cut":
        body = cut(query)
    elif path == "/status":
        status, body = query + " Whatever", [b"" if query in ("204", "304") else b"ok\n"]
    elif path == "/headers":
        headers = [("X-Two", "a"), ("X-Two", "b"), ("X-Bytes", "caf\xe9"), ("X-Empty", "")]
    elif path == "/bad-header":
        headers = [("X-Bad", "a\r\nX-Split: b")]
    elif path == "/big":
        body = [bytes(range(256)) * 4096]
    elif path == "/pid":
        body = [b"%d" % os.getpid()]
    elif path == "/log":
        print("to stdout")
        print("to stderr", file=sys.stderr)
        print("to the error stream", file=environ["wsgi.errors"])
    elif path.startswith("/wsgi/"):
        return special(path[6:], environ, start_response)
    start_response(status, headers)
    return body


def special(name, environ, start_response):
    if name == "write":
        write = start_response("200 OK", [])
        write(b"written, ")
        return [b"returned"]
    if name == "late-start":
        def body():
            start_response("201 Created", [])
            yield b""
            yield b"late"
        return body()
    if name == "exc-info":
        start_response("200 OK", [("X-Old", "1")])
        try:
            raise ValueError("oops")
        except ValueError:
            start_response("500 Oops", [("X-New", "1")], sys.exc_info())
        return [b"replaced"]
    if name == "exc-info-too-late":
        write = start_response("200 OK", [])
        write(b"sent")
        try:
            raise ValueError("too late")
        except ValueError:
            start_response("500 Oops", [], sys.exc_info())
    if name == "twice":
        start_response("200 OK", [])
        start_response("200 OK", [])
    if name == "text":
        start_response("200 OK", [])
        return ["text"]
    if name == "file":
        start_response("200 OK", [])
        return environ["wsgi.file_wrapper"](open(__file__, "rb"), 100)
    if name == "lines":
        stream = environ["wsgi.input"]
        parts = [stream.readline(), stream.readline(2), *stream.readlines(), stream.read(), stream.read(5)]
        start_response("200 OK", [])
        return [repr(parts).encode()]
    if name == "unread":
        start_response("413 Too Much", [])
        return iter([b"too ", b"much\n"])
    if name == "spec":
        start_response("200 OK", [])
        names = "version url_scheme multithread multiprocess run_once input_terminated"
        return [" ".join(str(environ["wsgi." + n]) for n in names.split()).encode()]
