#!/bin/sh
# Builds what is measured into bench/.build and measures it: bench/run.sh [--quick] [--help]
set -eu
cd "$(dirname "$0")"
for program in go gcc python3 nginx; do
	command -v "$program" >/dev/null || { echo "bench: $program is missing" >&2; exit 1; }
done
mkdir -p .build
gcc -O2 -o .build/nullresp nullresp.c
gcc -O2 -o .build/loadgen loadgen.c
go build -o .build/ ../cli/gangway ./gofast ./bare
(cd caddy && go build -o ../.build/caddy .) # takes minutes, the first time
exec python3 bench.py "$@"
