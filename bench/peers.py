"""The gateways that are measured, and the processes they run in."""
import contextlib
import os
import signal
import socket
import subprocess
import time
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.path.join(HERE, '.build')


def built(name):
    return os.path.join(BUILD, name)


class Program:
    """A process with its children, on given cores."""

    def __init__(self, command, cores, log):
        self.log = log
        with open(log, 'ab') as out:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                            preexec_fn=lambda: os.sched_setaffinity(0, cores))

    def pids(self):
        def tree(pid):
            yield pid
            with open(f'/proc/{pid}/task/{pid}/children') as f:
                for child in f.read().split():
                    yield from tree(int(child))
        return list(tree(self.process.pid))

    def cpu(self):
        """CPU time in nanoseconds, by the clocks of the processes."""
        return sum(time.clock_gettime_ns((~pid << 3) | 2) for pid in self.pids())

    def pin(self, cores):
        for pid in self.pids():
            for thread in os.listdir(f'/proc/{pid}/task'):
                with contextlib.suppress(ProcessLookupError):
                    os.sched_setaffinity(int(thread), cores)

    def fail(self, why):
        with open(self.log, 'rb') as f:
            raise SystemExit(f'{why}:\n' + f.read()[-2000:].decode(errors='replace'))

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Peer:
    """A gateway. commands: by route, what starts it; {port}, {cores} and the paths of the run are filled in. It knows all
    workloads of these routes unless some are named."""

    def __init__(self, name, version, commands, template=None, workloads=None):
        self.name, self.commands, self.template = name, commands, template
        self.version, self.workloads = version, workloads

    def knows(self, workload):
        return workload.route in self.commands and (not self.workloads or workload.name in self.workloads)

    def describe(self):
        out = subprocess.run(self.version, shell=True, cwd=HERE, capture_output=True, text=True)
        return (out.stdout + out.stderr).strip().splitlines()[0]

    def start(self, route, cores, places):
        """Starts an instance for one route and returns its Program and port when it answers."""
        port = free_port()
        folder = os.path.join(places['run'], f'{self.name}-{port}')
        os.mkdir(folder)
        values = dict(places, port=port, cores=len(cores), run=folder)
        if self.template:
            fill(self.template, folder, dict(values, user='user root;' if os.geteuid() == 0 else '',
                                             directives=NGINX.get(route, '')))
        program = Program([word.format(**values) for word in self.commands[route]], cores, folder + '/log')
        wait_until_ready(program, port)
        return program, port


def fill(template, folder, values):
    with open(os.path.join(HERE, template)) as f:
        text = f.read()
    for name, value in values.items():
        text = text.replace(f'@{name.upper()}@', str(value))
    with open(os.path.join(folder, template), 'w') as f:
        f.write(text)


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


def wait_until_ready(program, port):
    url, end = f'http://127.0.0.1:{port}/hello', time.time() + 10
    while time.time() < end and program.process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.05)
    program.stop()
    program.fail(f'{program.process.args[0]} does not answer')


def bridge(app):
    return [built('gangway'), 'bridge', '--from', 'http://127.0.0.1:{port}', '--to', app]


NGINX = {
    'fcgi': 'fastcgi_pass fcgi; fastcgi_keep_conn on; include /etc/nginx/fastcgi_params;',
    'scgi': 'scgi_pass scgi; include /etc/nginx/scgi_params;',
}
NGINX_COMMAND = ['nginx', '-p', '{run}', '-c', '{run}/nginx.conf', '-e', 'stderr']

# Routes: fcgi and scgi lead to nullresp; own is answered in the process.
PEERS = [
    Peer('nginx', 'nginx -v', {'fcgi': NGINX_COMMAND, 'scgi': NGINX_COMMAND}, 'nginx.conf'),
    Peer('gangway', 'echo "$(git log -1 --format=%h), $(go version)"',
         {'fcgi': bridge('fcgi+unix://{fcgi}'), 'scgi': bridge('scgi+unix://{scgi}'), 'own': bridge('egi:hello')}),
    Peer('Caddy', built('caddy') + ' version',
         {'fcgi': [built('caddy'), 'run', '--config', '{run}/Caddyfile', '--adapter', 'caddyfile']}, 'Caddyfile'),
    Peer('gofast', 'go list -m github.com/yookoala/gofast',
         {'fcgi': [built('gofast'), '-addr', '127.0.0.1:{port}', '-fcgi', '{fcgi}'],
          'own': [built('gofast'), '-addr', '127.0.0.1:{port}']}),
    Peer('bare', 'go version',
         {route: [built('bare'), '-addr', '127.0.0.1:{port}', *application] for route, application in
          {'fcgi': ['-fcgi', '{fcgi}'], 'scgi': ['-scgi', '{scgi}'], 'own': []}.items()},
         workloads=['get', 'own', 'connect', 'scgi', 'throughput', 'latency']),
]
