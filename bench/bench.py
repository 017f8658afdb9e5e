#!/usr/bin/env python3
"""Measures gateways in front of the same application, in one run. README.md says what and how."""
import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from typing import NamedTuple

import report
from peers import PEERS, Program, built


class Workload(NamedTuple):
    name: str
    title: str
    route: str
    arguments: str       # of loadgen
    path: str
    apart: bool = False  # gateway, application and load on cores of their own


WORKLOADS = [
    Workload('get', 'FastCGI, GET, 12 bytes', 'fcgi', '-c 16 -x 12', '/hello'),
    Workload('own', 'answer made in the gateway (EGI; gofast: net/http alone)', 'own', '-c 16 -x 14', '/hello'),
    Workload('nolength', 'FastCGI, GET, 1 KB without Content-Length', 'fcgi', '-c 16 -x 1024 -p', '/n1024'),
    Workload('post', 'FastCGI, POST, 1 KB echoed', 'fcgi', '-c 16 -b 1024 -x 1024 -p', '/echo'),
    Workload('64k', 'FastCGI, GET, 64 KB', 'fcgi', '-c 16 -x 65536 -p', '/b65536'),
    Workload('1m', 'FastCGI, GET, 1 MB', 'fcgi', '-c 8 -x 1048576 -p', '/b1048576'),
    Workload('connect', 'FastCGI, GET, 12 bytes, each on a new connection', 'fcgi', '-c 16 -k -x 12', '/hello'),
    Workload('scgi', 'SCGI, GET, 12 bytes', 'scgi', '-c 16 -x 12', '/hello'),
    Workload('upload', 'FastCGI, POST, 10 MB', 'fcgi', '-c 4 -b 10485760 -x 9', '/sink'),
    Workload('throughput', '64 connections, as fast as it goes', 'fcgi', '-c 64 -x 12', '/hello', True),
    Workload('latency', '2000 requests per second', 'fcgi', '-c 64 -r 2000 -x 12', '/hello', True),
]


CALM = 0.1  # of our cores may be used by others


def busy():
    """For each core, the seconds it has worked, for us, for others, and, if virtual, for other machines."""
    with open('/proc/stat') as f:
        rows = [line.split() for line in f if line[:3] == 'cpu' and line[3].isdigit()]
    tick = os.sysconf('SC_CLK_TCK')
    return {int(row[0][3:]): sum(int(row[i]) for i in (1, 2, 3, 6, 7, 8)) / tick for row in rows}


class Cores:
    """Where gateway, application and load run: on one core together, or apart."""

    def __init__(self):
        self.have = sorted(os.sched_getaffinity(0))
        several = len(self.have) >= 4
        self.gateway = set(self.have[:2]) if several else {self.have[0]}
        self.app = {self.have[-2 if several else -1]}
        self.load = {self.have[-1]}

    def choose(self):
        """Takes the calmest core as the one."""
        before = busy()
        time.sleep(0.3)
        after = busy()
        self.one = {min(self.have, key=lambda core: after[core] - before[core])}

    def of(self, workload):
        return (self.gateway, self.app, self.load) if workload.apart else (self.one, self.one, self.one)


class Rig:
    """The processes of a run. Gateways stay from one workload to the next, as in use."""

    def __init__(self):
        self.cores, self.programs, self.gateways = Cores(), [], {}
        self.cores.choose()
        self.run = tempfile.mkdtemp(prefix='gangway-bench-')
        self.places = {'run': self.run, 'fcgi': self.run + '/fcgi.sock', 'scgi': self.run + '/scgi.sock'}
        self.apps = {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for program in reversed(self.programs):
            program.stop()
        shutil.rmtree(self.run)

    def keep(self, program):
        self.programs.append(program)
        return program

    def start_apps(self):
        for route in ('fcgi', 'scgi'):
            command = [built('nullresp'), route, self.places[route]]
            self.apps[route] = self.keep(Program(command, self.cores.one, self.run + '/app.log'))

    def gateway(self, peer, workload):
        key = peer.name, workload.route, workload.apart
        if key not in self.gateways:
            program, port = peer.start(workload.route, self.cores.of(workload)[0], self.places)
            self.gateways[key] = self.keep(program), port
        return self.gateways[key]

    def measure(self, peer, workload, a):
        """Measures until others leave our cores alone, as long as there is time to spare; returns the calmest."""
        results = [self.measure_once(peer, workload, a.seconds)]
        while results[-1]['foreign'] > CALM and a.spare > 0 and len(results) < 5:
            a.spare -= a.seconds
            results.append(self.measure_once(peer, workload, a.seconds))
        return min(results, key=lambda result: result['foreign'])

    def measure_once(self, peer, workload, seconds):
        """Returns loadgen's result with the CPU time of the gateway, and how much of our cores others used."""
        gateway_cores, app_cores, load_cores = self.cores.of(workload)
        gateway, port = self.gateway(peer, workload)
        app = self.apps[workload.route] if workload.route in self.apps else None
        gateway.pin(gateway_cores)
        if app:
            app.pin(app_cores)
        command = [built('loadgen'), '-w', '0.1', '-d', str(seconds), *workload.arguments.split(), str(port),
                   workload.path]
        load = subprocess.Popen(command, stdout=subprocess.PIPE, text=True,
                                preexec_fn=lambda: os.sched_setaffinity(0, load_cores))
        ours, clocks = gateway_cores | app_cores | load_cores, []
        for line in load.stdout:
            if line.startswith('{'):
                result = json.loads(line)
                continue
            rest = time.clock_gettime_ns((~load.pid << 3) | 2) + (app.cpu() if app else 0)
            clocks.append((gateway.cpu(), rest, sum(seconds for core, seconds in busy().items() if core in ours)))
        if load.wait() != 0:
            raise SystemExit('loadgen failed')
        gateway_cpu, rest, all_cpu = (b - a for a, b in zip(*clocks))
        result['cpu_us'] = gateway_cpu / 1e3 / max(result['requests'], 1)
        others = max(0, all_cpu - (gateway_cpu + rest) / 1e9)
        result['foreign'] = others / result['seconds'] / len(ours)
        return result


def machine():
    with open('/proc/cpuinfo') as f:
        model = next((line.split(':')[1].strip() for line in f if line.startswith('model name')), platform.machine())
    return f'{os.cpu_count()} cores ({model}), {platform.system()} {platform.release()}'


def arguments():
    parser = argparse.ArgumentParser(prog='bench/run.sh', description='Compares gangway with other gateways.')
    parser.add_argument('--quick', action='store_true', help='fewer and shorter rounds: less than three minutes')
    parser.add_argument('--rounds', type=int, help='how often each is measured (20; quick: 5)')
    parser.add_argument('--seconds', type=float, help='how long (0.4; quick: 0.25)')
    parser.add_argument('--peers', help='only these, and nginx: gangway,caddy,gofast,bare')
    parser.add_argument('--only', help='only these workloads: ' + ','.join(w.name for w in WORKLOADS))
    a = parser.parse_args()
    a.rounds = a.rounds or (5 if a.quick else 20)
    a.seconds = a.seconds or (0.25 if a.quick else 0.4)
    a.spare = 30 if a.quick else 600  # seconds for measuring again
    names = a.peers and ['nginx'] + a.peers.lower().split(',')
    a.peers = [p for p in PEERS if not names or p.name.lower() in names]
    a.workloads = [w for w in WORKLOADS if not a.only or w.name in a.only.split(',')]
    return a


def main():
    a = arguments()
    results, begun = {}, time.time()
    with Rig() as rig:
        rig.start_apps()
        for n in range(a.rounds):
            rig.cores.choose()
            for i, workload in enumerate(a.workloads):
                peers = [p for p in a.peers if p.knows(workload)]
                turn = (n + i) % max(len(peers), 1)
                for peer in peers[turn:] + peers[:turn]:
                    result = rig.measure(peer, workload, a)
                    results.setdefault((workload.name, peer.name), []).append(result)
            print(f'round {n + 1} of {a.rounds}, {time.time() - begun:.0f} s', file=sys.stderr)
    print(time.strftime(f'%Y-%m-%d: {machine()}; {a.rounds} rounds of {a.seconds} s.'))
    for peer in a.peers:
        print(f'- {peer.name}: {peer.describe()}')
    return report.show(a, results)


if __name__ == '__main__':
    sys.exit(main())
