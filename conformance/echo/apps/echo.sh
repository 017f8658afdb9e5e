#!/bin/sh
# The echo application of gangway's conformance suite in POSIX sh, with od, awk and sha256sum. It answers a request with
# what it saw of it, and QUERY_STRING can ask for other answers: see the documentation of the package echo.
#
#     chmod +x echo.sh                  CGI: for the web server's folder of programs
#     REQUEST_METHOD=GET ./echo.sh      CGI, from the command line
#     fcgiwrap -s unix:/tmp/wrap.sock   FastCGI, with SCRIPT_FILENAME=/path/of/echo.sh
#
# SPDX-License-Identifier: Apache-2.0
export LC_ALL=C

# encoded KIND: each string of standard input, which a NUL ends, as a line "KIND STRING"; for var NAME=VALUE as "var
# NAME VALUE".
encoded() {
	od -An -v -tx1 | awk -v kind="$1" '
		BEGIN {
			for (i = 1; i < 127; i++) {
				c = sprintf("%c", i)
				if (c ~ /^[A-Za-z0-9._~\/-]$/) plain[sprintf("%02x", i)] = c
			}
			fresh = 1
		}
		{
			for (i = 1; i <= NF; i++) {
				if (fresh) { printf "%s ", kind; fresh = 0; named = (kind != "var") }
				if ($i == "00") { print named ? "" : " "; fresh = 1 }
				else if ($i == "3d" && !named) { printf " "; named = 1 }
				else if ($i in plain) printf "%s", plain[$i]
				else printf "%%%s", toupper($i)
			}
		}'
}

# repeated LINE FROM TO: these bytes of the line, with its LF 64 bytes, that is repeated.
repeated() {
	awk -v line="$1" -v from="$2" -v to="$3" 'BEGIN {
		line = line "\n"
		while (from < to) {
			n = 64 - from % 64
			if (n > to - from) n = to - from
			printf "%s", substr(line, from % 64 + 1, n)
			from += n
		}
	}'
}
large_line=0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ+
error_line=eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee

# body reads standard input to CONTENT_LENGTH, where its end may be no end of file.
body() {
	if [ "$noread" ]; then
		echo 'body - -'
		return
	fi
	case $CONTENT_LENGTH in '' | *[!0-9]*) CONTENT_LENGTH=0 ;; esac
	file=$(mktemp) || exit 1
	head -c "$CONTENT_LENGTH" >"$file"
	sum=$(sha256sum <"$file")
	echo "body $(($(wc -c <"$file"))) ${sum%% *}"
	rm -f "$file"
}

# descriptors lists those that another program of this shell has too, so not those that the shell opened for itself.
descriptors() {
	for file in /dev/fd/*; do
		[ "${file##*/}" -gt 2 ] && env test -e "$file" && echo "fd ${file##*/}"
	done 2>/dev/null
}

# environment prints the variables as they were when this program began, where /proc tells.
environment() {
	if [ -r /proc/$$/environ ]; then cat /proc/$$/environ; else env | tr '\n' '\000'; fi
}

pause() { sleep "$(awk -v ms="$1" 'BEGIN { print ms / 1000 }')"; }

error_half() {
	if [ "$stderr" -gt 0 ]; then repeated $error_line "$1" "$2" >&2; fi
}

sleep=0 stderr=0 exit=0
unset noread binary empty crash crash_after large flush
set -f
IFS='&'
for mode in $QUERY_STRING; do
	case ${mode#*=} in *[!0-9]*) [ "$mode" = "${mode#*=}" ] || continue ;; esac
	case $mode in
	noread | binary | empty | crash) eval "$mode=yes" ;;
	sleep=?* | exit=?* | stderr=?* | large=?* | flush=?*) eval "$mode" ;;
	crash=?*) large=${mode#*=} crash_after=yes ;;
	esac
done
unset IFS
set +f

if [ "$FCGI_ROLE" = AUTHORIZER ]; then
	printf 'Status: 200\r\nVariable-ECHO: 1\r\n\r\n'
	exit
fi
read_body=$(body)
[ "$sleep" = 0 ] || pause "$sleep"
[ -z "$crash" ] || kill -9 $$
[ -z "$empty" ] || exit "$exit"

half=$((stderr / 2))
error_half 0 $half
type=text/x-gangway-echo
[ -z "$large$binary" ] || type=application/octet-stream
printf 'Content-Type: %s\r\n\r\n' $type
if [ "$large" ]; then
	repeated $large_line 0 $((large / 2))
	error_half $half "$stderr"
	repeated $large_line $((large / 2)) "$large"
	[ -z "$crash_after" ] || kill -9 $$
elif [ "$binary" ]; then
	printf "$(awk 'BEGIN { for (i = 0; i < 256; i++) printf "\\%03o", i }')"
elif [ "$flush" ]; then
	echo 'tick 1'
	pause "$flush"
	echo 'tick 2'
	pause "$flush"
	echo 'tick 3'
else
	echo 'echo 1'
	environment | encoded var
	[ $# = 0 ] || printf '%s\000' "$@" | encoded arg
	error_half $half "$stderr"
	echo "$read_body"
	descriptors
	printf '%s\000' "$(pwd)" | encoded cwd
	echo "pid $$"
	echo end
fi
exit "$exit"
