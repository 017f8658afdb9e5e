#!/bin/sh
# A CGI program (RFC 3875): variables in the environment, the answer on standard output.
echo "Content-Type: text/plain; charset=utf-8"
echo
echo "served by /bin/sh, process $$, which lives for one request"
env | sort
