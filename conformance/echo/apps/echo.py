#!/usr/bin/env python3
"""The echo application of gangway's conformance suite in Python: a WSGI application (PEP 3333) of the standard library.

It answers each request with what it saw of it, and QUERY_STRING can ask for other answers: see the documentation of the
package echo.

    uwsgi --plugin python3 --wsgi-file echo.py --fastcgi-socket /tmp/echo.sock --buffer-size 65535      FastCGI
    uwsgi --plugin python3 --wsgi-file echo.py --scgi-socket /tmp/echo.sock --buffer-size 65535         SCGI
    uwsgi --plugin python3 --wsgi-file echo.py --uwsgi-socket /tmp/echo.sock --buffer-size 65535        uwsgi
    REQUEST_METHOD=GET python3 echo.py                                                                  CGI

SPDX-License-Identifier: Apache-2.0
"""

import hashlib
import os
import re
import signal
import sys
import time

LARGE_LINE = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ+\n"
ERROR_LINE = "e" * 63 + "\n"
PLAIN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._~/-")


def word(b):
    return "".join(chr(c) if c in PLAIN else "%%%02X" % c for c in b)


def descriptors():
    """Those above 2 that Python did not open for itself, so without close-on-exec."""
    try:
        numbers = [int(name) for name in os.listdir("/dev/fd")]
    except OSError:
        return
    for fd in sorted(numbers):
        try:
            if fd > 2 and os.get_inheritable(fd):
                yield fd
        except OSError:
            pass  # That of the listing.


def body(environ):
    """The length and hash of the message-body, which nobody may read beyond CONTENT_LENGTH."""
    size = environ.get("CONTENT_LENGTH", "")
    left = int(size) if re.fullmatch("[0-9]+", size) else 0
    length, digest = 0, hashlib.sha256()
    while left > 0:
        part = environ["wsgi.input"].read(min(left, 65536))
        if not part:
            break
        digest.update(part)
        length, left = length + len(part), left - len(part)
    return "%d %s" % (length, digest.hexdigest())


def lines(environ, read):
    yield "echo 1\n"
    for name, value in environ.items():
        if isinstance(value, str) and not name.startswith(("wsgi.", "uwsgi.", "x-wsgiorg.")):
            yield "var %s %s\n" % (word(name.encode("latin-1")), word(value.encode("latin-1")))
    for arg in sys.argv[1:]:
        yield "arg %s\n" % word(os.fsencode(arg))
    yield "body %s\n" % read
    for fd in descriptors():
        yield "fd %d\n" % fd
    yield "cwd %s\npid %d\nend\n" % (word(os.getcwdb()), os.getpid())


def repeated(line, start, end):
    """The bytes from start to end of a line of 64 bytes that is repeated."""
    while start < end:
        part = (line * 1024)[start % 64:][:end - start]
        yield part
        start += len(part)


def crash():
    os.kill(os.getpid(), signal.SIGKILL)


def application(environ, start_response):
    if environ.get("FCGI_ROLE") == "AUTHORIZER":
        start_response("200 OK", [("Variable-ECHO", "1")])
        return []
    mode = {}
    for text in environ.get("QUERY_STRING", "").split("&"):
        if re.fullmatch("noread|binary|empty|crash", text):
            mode[text if text != "crash" else "crash at once"] = 0
        elif re.fullmatch("(sleep|exit|stderr|large|flush|crash)=[0-9]+", text):
            mode[text.split("=")[0]] = int(text.split("=")[1])
    text = "".join(lines(environ, "- -" if "noread" in mode else body(environ)))
    time.sleep(mode.get("sleep", 0) / 1000)
    if "crash at once" in mode:
        crash()
    environ["echo.exit"] = mode.get("exit", 0)
    if "empty" in mode:
        return []  # without start_response, so only from a server that does not look
    return respond(environ, start_response, mode, text)


def respond(environ, start_response, mode, text):
    errors, half = environ["wsgi.errors"], mode.get("stderr", 0) // 2
    large = mode.get("crash", mode.get("large"))
    errors.writelines(repeated(ERROR_LINE, 0, half))
    octets = large is not None or "binary" in mode
    start_response("200 OK", [("Content-Type", "application/octet-stream" if octets else "text/x-gangway-echo")])
    if not octets and "flush" in mode:
        for tick in (1, 2, 3):
            time.sleep(mode["flush"] / 1000 if tick > 1 else 0)
            yield b"tick %d\n" % tick
        return
    content = bytes(range(256)) if "binary" in mode else text.encode()
    size = len(content) if large is None else large
    for start, end in (0, size // 2), (size // 2, size):
        if large is None:
            yield content[start:end]
        else:
            yield from (part.encode() for part in repeated(LARGE_LINE, start, end))
        errors.writelines(repeated(ERROR_LINE, half, mode.get("stderr", 0) if end < size else half))
        errors.flush()
    if "crash" in mode:
        crash()


def run_cgi():
    """Serves one request as PEP 3333 shows it, but leaves it to application whether there is a response at all."""
    out, header = sys.stdout.buffer, []
    environ = {os.fsencode(k).decode("latin-1"): os.fsencode(v).decode("latin-1") for k, v in os.environ.items()}
    environ.update({"wsgi.input": sys.stdin.buffer, "wsgi.errors": sys.stderr})

    def start_response(status, fields):
        header.append("Status: %s\r\n%s\r\n" % (status, "".join("%s: %s\r\n" % field for field in fields)))

    for part in application(environ, start_response):
        out.write("".join(header).encode("latin-1") + part)
        out.flush()
        header.clear()
    out.write("".join(header).encode("latin-1"))
    out.flush()
    sys.exit(environ.get("echo.exit", 0))


if __name__ == "__main__":
    run_cgi()
