import hashlib
import os
import time

import django.conf
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.urls import path, reverse

django.conf.settings.configure(ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, SECRET_KEY="x" * 50)


def hello(request, name):
    return HttpResponse("Hello " + name)


def form(request):
    return HttpResponseRedirect(reverse("hello", args=[request.POST["name"]]))


def upload(request):
    file = request.FILES["file"]
    content = file.read()
    return HttpResponse("%s %d %s" % (file.name, len(content), hashlib.sha256(content).hexdigest()))


def stream(request):
    def lines():
        yield "one\n"
        while not os.path.exists("go"):
            time.sleep(0.01)
        yield "two\n"

    return StreamingHttpResponse(lines())


urlpatterns = [
    path("hello/<str:name>", hello, name="hello"),
    path("form", form),
    path("upload", upload),
    path("stream", stream),
]
application = get_wsgi_application()
