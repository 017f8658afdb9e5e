import os
import platform


def application(environ, start_response):
    lines = [f"served by Python {platform.python_version()}, process {os.getpid()}"]
    lines += sorted(f"{name}={value}" for name, value in environ.items() if name[0].isupper() and isinstance(value, str))
    start_response("200 OK", [("Content-Type", "text/plain; charset=utf-8")])
    return ["\n".join(lines).encode("latin-1") + b"\n"]
