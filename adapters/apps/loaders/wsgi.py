"""Serves a WSGI application (PEP 3333) over SCGI on a Unix socket, one request at a time.

    python3 gangway_wsgi.py SOCKET DIR MODULE

It loads MODULE from DIR, takes its attribute application or app, and then listens. After SIGTERM, or when its standard
input ends, it finishes the current request and exits. It needs Python 3.7 and nothing else.
"""

import contextlib
import importlib
import io
import os
import select
import signal
import socket
import sys
import traceback
from wsgiref.util import FileWrapper


def main(path, directory, module):
    os.chdir(directory)
    sys.path.insert(0, directory)
    sys.argv[:] = [module]
    sys.stdout.reconfigure(line_buffering=True)
    app = load(module)
    awake, wake = os.pipe()
    signal.signal(signal.SIGTERM, lambda *_: os.write(wake, b"."))
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(1024)
    while select.select([listener, awake, 0], [], [])[0] == [listener]:
        conn, _ = listener.accept()
        with conn, conn.makefile("rb") as stream:
            serve(app, conn, stream)


def load(name):
    module = importlib.import_module(name)
    for attribute in ("application", "app"):
        app = getattr(module, attribute, None)
        if callable(app):
            return app
    sys.exit("%s defines neither application nor app" % module.__file__)


def serve(app, conn, stream):
    environ = read_environ(stream)
    if environ is None:
        return
    body = Body(stream, int(environ["CONTENT_LENGTH"]))
    environ["wsgi.input"] = io.BufferedReader(body)
    response = Response(conn, environ["REQUEST_METHOD"])
    try:
        respond(app, environ, response)
    except BaseException:  # SystemExit too: it ends the request, not the process
        if not response.gone:
            traceback.print_exc()
            response.fail()
    if body.left:  # closing now would reset the connection, and with it what the gateway has not read yet
        with contextlib.suppress(OSError):
            conn.shutdown(socket.SHUT_WR)
            conn.settimeout(10)
            while conn.recv(65536):
                pass


def read_environ(stream):
    """Reads the header of an SCGI request. A connection that ends before is no request."""
    size = b""
    while size[-1:] != b":":
        c = stream.read(1)
        if not c:
            return None
        size += c
    header = stream.read(int(size[:-1]) + 1)
    if header[-2:] != b"\0,":
        return None
    words = header[:-2].decode("latin-1").split("\0")
    environ = dict(zip(words[::2], words[1::2]))
    environ.pop("SCGI", None)
    environ.setdefault("PATH_INFO", "")
    environ["SERVER_NAME"] = environ.get("SERVER_NAME") or "localhost"
    environ["SERVER_PORT"] = environ.get("SERVER_PORT") or "80"
    environ["wsgi.version"] = (1, 0)
    environ["wsgi.url_scheme"] = "https" if environ.get("HTTPS") == "on" else "http"
    environ["wsgi.errors"] = sys.stderr
    environ["wsgi.file_wrapper"] = FileWrapper
    environ.update({"wsgi.multithread": False, "wsgi.multiprocess": True, "wsgi.run_once": False})
    environ["wsgi.input_terminated"] = True
    return environ


def respond(app, environ, response):
    result = app(environ, response.start)
    try:
        length = None  # not known before the end
        if hasattr(result, "__len__") and len(result) <= 1:
            length = sum(len(data) for data in result)
        for data in result:
            if data:
                response.write(data, length)
            if response.sent and not response.has_body:
                break
        response.end()
    finally:
        if hasattr(result, "close"):
            result.close()


class Body(io.RawIOBase):
    """The request body, which never looks complete when it is not."""

    def __init__(self, stream, length):
        self.stream = stream
        self.left = length

    def readable(self):
        return True

    def readinto(self, buffer):
        data = self.stream.read1(min(len(buffer), self.left)) if self.left else b""
        if not data and self.left:
            raise OSError("the request body was cut short, %d bytes are missing" % self.left)
        self.left -= len(data)
        buffer[: len(data)] = data
        return len(data)


class Response:
    def __init__(self, conn, method):
        self.conn, self.method = conn, method
        self.head = None  # what start_response was told
        self.framed = self.chunked = False  # by the application, by us
        self.has_body = True
        self.sent = False  # at least the header
        self.gone = False  # the reader

    def start(self, status, headers, exc_info=None):
        """start_response of PEP 3333."""
        if exc_info and self.sent:
            raise exc_info[1].with_traceback(exc_info[2])
        if self.head is not None and not exc_info:
            raise AssertionError("start_response was called twice without exc_info")
        lines = ["Status: " + status] + [name + ": " + value for name, value in headers]
        if any(c in line for line in lines for c in "\r\n\0"):
            raise ValueError("control character in the response header")
        names = {name.lower() for name, _ in headers}
        self.framed = bool(names & {"content-length", "transfer-encoding"})
        self.has_body = self.method != "HEAD" and status[:3] not in ("204", "304")
        self.head = "\r\n".join(lines + [""]).encode("latin-1")
        return self.write

    def write(self, data, length=None):
        """Sends data, and the header before it; length is that of the whole body."""
        if not isinstance(data, bytes):
            raise TypeError("the response body must be of bytes, not " + type(data).__name__)
        head = self.begin(length)
        if not self.has_body:
            data = b""
        elif self.chunked and data:
            data = b"%x\r\n%s\r\n" % (len(data), data)
        self.send(head + data)

    def begin(self, length):
        """Returns the header, once."""
        if self.sent:
            return b""
        if self.head is None:
            raise AssertionError("start_response was not called before the body")
        if self.framed or not self.has_body:
            return self.head + b"\r\n"
        if length is not None:
            return self.head + b"Content-Length: %d\r\n\r\n" % length
        self.chunked = True  # on a Unix socket SCGI cannot tell the end from a death otherwise
        return self.head + b"Transfer-Encoding: chunked\r\n\r\n"

    def end(self):
        self.send(self.begin(0) + (b"0\r\n\r\n" if self.chunked else b""))

    def send(self, data):
        self.sent = True
        try:
            self.conn.sendall(data)
        except OSError:
            self.gone = True
            raise

    def fail(self):
        """Answers with status 500, if nothing was sent yet."""
        if not self.sent:
            self.head = None
            self.start("500 Internal Server Error", [("Content-Type", "text/plain")])
            with contextlib.suppress(OSError):
                self.write(b"Internal Server Error\n", 22)


if __name__ == "__main__":
    main(*sys.argv[1:])
