import hashlib
import os
import time

from flask import Flask, redirect, request, url_for

app = Flask(__name__)


@app.get("/hello/<name>")
def hello(name):
    return "Hello " + name


@app.post("/form")
def form():
    return redirect(url_for("hello", name=request.form["name"]))


@app.post("/upload")
def upload():
    file = request.files["file"]
    content = file.read()
    return "%s %d %s" % (file.filename, len(content), hashlib.sha256(content).hexdigest())


@app.get("/stream")
def stream():
    def lines():
        yield "one\n"
        while not os.path.exists("go"):
            time.sleep(0.01)
        yield "two\n"

    return lines()
