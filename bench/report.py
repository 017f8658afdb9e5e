"""Prints the results of bench.py as tables."""
import statistics

# What gangway promises of itself: name, limit, and the value from one round of CPU times by (workload, peer).
TARGETS = [
    ('small FastCGI GET without what answering itself costs, against nginx', 0.9,
     lambda cpu: (cpu['get', 'gangway'] - cpu['own', 'gangway']) / cpu['get', 'nginx']),
    ('small FastCGI GET against nginx', 2.3, lambda cpu: cpu['get', 'gangway'] / cpu['get', 'nginx']),
    ('small FastCGI GET against Caddy', 0.25, lambda cpu: cpu['get', 'gangway'] / cpu['get', 'Caddy']),
    ('small FastCGI GET against gofast', 0.25, lambda cpu: cpu['get', 'gangway'] / cpu['get', 'gofast']),
    ('1 MB response against nginx', 0.6, lambda cpu: cpu['1m', 'gangway'] / cpu['1m', 'nginx']),
]


def show(a, results):
    """Prints everything and returns the exit status: 1 if a request failed."""
    names = [p.name for p in a.peers]
    show_foreign(results)
    show_cpu([w for w in a.workloads if not w.apart], names, results)
    for workload in a.workloads:
        if workload.apart:
            show_apart(workload, names, results)
    show_targets(a.rounds, results)
    return show_errors(results)


def row(*cells):
    print('| ' + ' | '.join(cells) + ' |')


def header(*cells):
    row(*cells)
    row('---', *['--:'] * (len(cells) - 1))


def median(values, key):
    return statistics.median(v[key] for v in values)


def spread(values):
    """The median, and between what the middle half of the values lies."""
    if len(values) < 3:
        return f'{statistics.median(values):.2f}'
    low, middle, high = statistics.quantiles(values, n=4, method='inclusive')
    return f'{middle:.2f} ({low:.2f}–{high:.2f})'


def ratio(results, workload, peer):
    """The CPU time of a peer over nginx's in the same round."""
    pairs = zip(results[workload, peer], results.get((workload, 'nginx'), []))
    values = [mine['cpu_us'] / other['cpu_us'] for mine, other in pairs]
    return spread(values) if values and peer != 'nginx' else ''


def number(v):
    return f'{v:,.0f}' if v >= 100 else f'{v:.1f}'


def show_foreign(results):
    values = [v for rows in results.values() for v in rows]
    print(f"- other work on the cores in use: {median(values, 'foreign'):.0%} of their time\n")


def show_cpu(workloads, names, results):
    print('CPU time of the gateway in µs per request; × nginx in the same round: median (middle half).\n')
    header('one core', *names)
    for w in workloads:
        cells = []
        for name in names:
            rows = results.get((w.name, name))
            times = ratio(results, w.name, name) if rows else ''
            cells.append((number(median(rows, 'cpu_us')) + (f', × {times}' if times else '')) if rows else '')
        row(w.title, *cells)


def show_apart(workload, names, results):
    print(f'\n{workload.title}; gateway, application and load on cores of their own:\n')
    header('', 'requests/s', 'p50 ms', 'p99 ms', 'CPU µs', '× nginx')
    for name in names:
        rows = results[workload.name, name]
        rate = statistics.median(v['requests'] / v['seconds'] for v in rows)
        row(name, f'{rate:,.0f}', f"{median(rows, 'p50_us') / 1e3:.2f}", f"{median(rows, 'p99_us') / 1e3:.2f}",
            number(median(rows, 'cpu_us')), ratio(results, workload.name, name))


def show_targets(rounds, results):
    by_round = [{key: rows[n]['cpu_us'] for key, rows in results.items()} for n in range(rounds)]
    print()
    header('CPU time', 'at most', 'measured', '')
    for title, limit, value in TARGETS:
        try:
            values = [value(cpu) for cpu in by_round]
        except KeyError:
            continue  # not part of this run
        row(title, str(limit), spread(values), 'yes' if statistics.median(values) <= limit else '**no**')


def show_errors(results):
    status = 0
    for (workload, peer), rows in results.items():
        errors = sum(v['errors'] for v in rows)
        if errors:
            status = 1
            good, why = sum(v['requests'] for v in rows), next(v['error'] for v in rows if v['error'])
            print(f'\n{peer}, {workload}: {errors} of {errors + good} requests failed: {why}')
    return status
