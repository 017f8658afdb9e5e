// loadgen sends HTTP/1.1 requests from one thread, checks every response and measures.
//
//	loadgen [options] PORT PATH
//
//	-c N  connections (1)
//	-r N  requests per second in all, whatever the responses do; without it each connection sends one after another
//	-b N  POST with a body of N bytes; without it GET
//	-k    a new connection for each request
//	-x N  the response must have N bytes of body; -p: and they must be the pattern of nullresp
//	-w S  warm up for S seconds (0.2), -d S: then measure for S seconds (1)
//
// It prints START and END where the measured time begins and ends, so that the caller can read CPU clocks there, and
// then the result as JSON. With -r a latency counts from the moment at which the request was due, so that a gateway
// that stops for a while cannot hide it.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static int connections = 1, port, epoll;
static bool churn, check_pattern;
static long body_size = -1, expected = -1;
static double rate, warm_up = 0.2, duration = 1;
static char *request, pattern[1 << 16];
static size_t request_len;

enum state { FREE, CONNECTING, SENDING, RECEIVING };
enum chunk { SIZE, EXTENSION, DATA, DATA_END, TRAILER }; // what of a chunked body comes next

struct conn {
	int fd;
	enum state state;
	uint32_t events;
	uint64_t start;
	size_t sent;
	char head[4096];
	int head_len, status;
	bool in_body, chunked, close;
	enum chunk chunk;
	long length, got, chunk_left, line;
	struct conn *next; // in the list of free ones
};

static struct conn *free_conns;
static bool measuring;
static uint64_t done, errors, opened;
static char first_error[128];

static uint64_t now(void) {
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

// Latencies in nanoseconds are counted in classes 1/128 wide.
enum { BITS = 7, CLASSES = 64 << BITS };
static uint64_t histogram[CLASSES];

static int class_of(uint64_t v) {
	if (v < 1 << BITS) return v;
	int shift = 63 - __builtin_clzll(v) - BITS;
	return (shift + 1) << BITS | (v >> shift & ((1 << BITS) - 1));
}

static double quantile(double q) {
	uint64_t sum = 0;
	for (int i = 0; i < CLASSES; i++) {
		if ((sum += histogram[i]) < q * done || histogram[i] == 0) continue;
		uint64_t mantissa = i & ((1 << BITS) - 1);
		return (i >> BITS ? (mantissa + (1 << BITS)) << ((i >> BITS) - 1) : mantissa) / 1e3;
	}
	return 0;
}

static void watch(struct conn *c, uint32_t events) {
	if (c->events == events) return;
	struct epoll_event e = { .events = events, .data.ptr = c };
	epoll_ctl(epoll, c->events ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, c->fd, &e);
	c->events = events;
}

static void hang_up(struct conn *c) {
	if (c->fd >= 0) close(c->fd);
	c->fd = -1;
	c->events = 0;
}

static void fail(struct conn *c, const char *why) {
	errors += measuring;
	if (measuring && !first_error[0]) snprintf(first_error, sizeof first_error, "%s (status %d)", why, c->status);
	hang_up(c);
	c->state = FREE;
	c->next = free_conns;
	free_conns = c;
}

static void open_conn(struct conn *c) {
	struct sockaddr_in addr = { AF_INET, htons(port), { htonl(INADDR_LOOPBACK) }, { 0 } };
	int one = 1;
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	opened += measuring;
	if (connect(c->fd, (struct sockaddr *)&addr, sizeof addr) && errno != EINPROGRESS) return fail(c, "connect");
	c->state = CONNECTING;
	watch(c, EPOLLOUT);
}

static void send_on(struct conn *c) {
	while (c->sent < request_len) {
		ssize_t n = write(c->fd, request + c->sent, request_len - c->sent);
		if (n < 0 && errno == EAGAIN) return watch(c, EPOLLIN | EPOLLOUT);
		if (n < 0) return fail(c, "write");
		c->sent += n;
	}
	c->state = RECEIVING;
	watch(c, EPOLLIN);
}

// begin sends a request that was due at start.
static void begin(struct conn *c, uint64_t start) {
	c->start = start;
	c->sent = 0;
	c->head_len = c->status = c->got = c->chunk_left = c->line = 0;
	c->in_body = c->chunked = c->close = false;
	c->chunk = SIZE;
	c->length = -1;
	if (c->fd < 0) return open_conn(c);
	c->state = SENDING;
	send_on(c);
}

static void finish(struct conn *c) {
	if (c->status != 200) return fail(c, "not 200");
	if (expected >= 0 && c->got != expected) return fail(c, "length of the body");
	if (measuring) {
		done++;
		histogram[class_of(now() - c->start)]++;
	}
	if (churn || c->close) hang_up(c);
	c->state = FREE;
	c->next = free_conns;
	free_conns = c;
}

static bool got_body(struct conn *c, const char *data, long n) {
	for (long at = 0; check_pattern && at < n;) {
		long part = n - at, max = sizeof pattern - 32;
		if (part > max) part = max;
		if (memcmp(data + at, pattern + (c->got + at) % 32, part)) return false;
		at += part;
	}
	c->got += n;
	return true;
}

// got_line takes the byte that follows a chunk's size, and returns whether the body is at its end.
static bool got_line(struct conn *c, char b) {
	if (b == '\n') {
		bool end = c->chunk == TRAILER && c->line == 0;
		c->chunk = c->chunk == DATA_END ? SIZE : c->chunk == TRAILER || c->chunk_left == 0 ? TRAILER : DATA;
		c->line = 0;
		return end;
	}
	c->line += b != '\r';
	if (c->chunk == SIZE && !isxdigit(b)) c->chunk = EXTENSION;
	if (c->chunk == SIZE) c->chunk_left = c->chunk_left * 16 + (isdigit(b) ? b - '0' : (b | 32) - 'a' + 10);
	return false;
}

// got_chunks returns 1 at the end of the body, 0 before, -1 if it is wrong.
static int got_chunks(struct conn *c, const char *data, long n) {
	for (long at = 0; at < n;) {
		if (c->chunk != DATA) {
			if (got_line(c, data[at++])) return at == n ? 1 : -1;
			continue;
		}
		long part = n - at < c->chunk_left ? n - at : c->chunk_left;
		if (!got_body(c, data + at, part)) return -1;
		at += part;
		if ((c->chunk_left -= part) == 0) c->chunk = DATA_END;
	}
	return 0;
}

static void parse_head(struct conn *c, const char *end) {
	c->status = atoi(c->head + 9);
	c->close = c->head[7] == '0';
	for (char *line = strchr(c->head, '\n') + 1; line < end; line = strchr(line, '\n') + 1) {
		if (!strncasecmp(line, "content-length:", 15)) c->length = strtol(line + 15, 0, 10);
		if (!strncasecmp(line, "transfer-encoding: chunked", 26)) c->chunked = true;
		if (!strncasecmp(line, "connection: close", 17)) c->close = true;
	}
	c->in_body = true;
}

// got takes what came; it returns as got_chunks does.
static int got(struct conn *c, const char *data, long n) {
	if (!c->in_body) {
		long before = c->head_len, part = sizeof c->head - 1 - before;
		if (part > n) part = n;
		memcpy(c->head + before, data, part);
		c->head[c->head_len += part] = 0;
		char *end = strstr(c->head, "\r\n\r\n");
		if (!end) return part < n ? -1 : 0;
		parse_head(c, end);
		long used = end + 4 - c->head - before;
		data += used;
		n -= used;
	}
	if (c->chunked) return got_chunks(c, data, n);
	if (!got_body(c, data, n) || (c->length >= 0 && c->got > c->length)) return -1;
	return c->got == c->length;
}

static void receive(struct conn *c) {
	static char buf[512 << 10];
	for (;;) {
		ssize_t n = read(c->fd, buf, sizeof buf);
		if (n < 0 && errno == EAGAIN) return;
		if (n < 0) return fail(c, "read");
		if (n == 0 && c->in_body && c->length < 0 && !c->chunked) return finish(c);
		if (n == 0) return fail(c, "closed early");
		switch (got(c, buf, n)) {
		case 1: return finish(c);
		case -1: return fail(c, "malformed or wrong body");
		}
		if ((size_t)n < sizeof buf) return;
	}
}

static void ready(struct conn *c, uint32_t events) {
	if (c->state == CONNECTING) {
		int error = 0;
		socklen_t size = sizeof error;
		getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &size);
		if (error) return fail(c, "connect");
		c->state = SENDING;
		return send_on(c);
	}
	if (c->state == SENDING && events & EPOLLOUT) send_on(c);
	if (c->state == FREE && c->fd >= 0) { // closed while it was kept: the next request opens another
		hang_up(c);
	} else if (c->fd >= 0 && events & ~EPOLLOUT) {
		receive(c);
	}
}

// poll waits for at most so many nanoseconds.
static void poll(uint64_t wait) {
	struct epoll_event events[512];
	struct timespec limit = { 0, wait };
	int n = epoll_pwait2(epoll, events, 512, &limit, 0);
	for (int i = 0; i < n; i++) ready(events[i].data.ptr, events[i].events);
}

enum { TICK = 5000000 };

// run sends requests until the time is over and returns how many seconds of it were measured.
static double run(void) {
	uint64_t begun = now(), due = begun, gap = rate > 0 ? 1e9 / rate : 0, start = begun + warm_up * 1e9;
	for (;;) {
		uint64_t t = now();
		if (!measuring && t >= start) {
			measuring = true;
			start = t;
			puts("START");
		}
		if (measuring && t >= start + duration * 1e9) break;
		while (free_conns && (gap == 0 || due <= t)) {
			struct conn *c = free_conns;
			free_conns = c->next;
			begin(c, gap ? due : now());
			due += gap;
			if (c->state == FREE) break; // it failed at once
		}
		uint64_t wait = gap && free_conns ? due > t ? due - t : 0 : TICK;
		poll(wait < TICK ? wait : TICK);
	}
	measuring = false;
	puts("END");
	return (now() - start) / 1e9;
}

// drain waits for the responses that are under way: to drop them would make the gateway abort requests.
static void drain(struct conn *all) {
	for (int i = 0, ticks = 0; i < connections && ticks < 1000; ticks++) {
		poll(TICK);
		while (i < connections && all[i].state == FREE) i++;
	}
}

// make_request builds what a browser would send.
static void make_request(const char *path) {
	char type[128] = "";
	if (body_size >= 0)
		sprintf(type, "Content-Length: %ld\r\nContent-Type: application/octet-stream\r\n", body_size);
	const char *method = body_size < 0 ? "GET" : "POST";
	int n = asprintf(&request, "%s %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n%s"
		"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n"
		"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n"
		"Accept-Language: en-US,en;q=0.5\r\n"
		"Cookie: session=0123456789abcdef0123456789abcdef; theme=dark\r\n%s\r\n",
		method, path, port, churn ? "Connection: close\r\n" : "", type);
	request_len = n + (body_size > 0 ? body_size : 0);
	request = realloc(request, request_len + 1);
	for (long i = 0; i < body_size; i++) request[n + i] = pattern[i % 32];
}

int main(int argc, char **argv) {
	int option;
	while ((option = getopt(argc, argv, "c:r:b:kx:pw:d:")) > 0) switch (option) {
	case 'c': connections = atoi(optarg); break;
	case 'r': rate = atof(optarg); break;
	case 'b': body_size = atol(optarg); break;
	case 'k': churn = true; break;
	case 'x': expected = atol(optarg); break;
	case 'p': check_pattern = true; break;
	case 'w': warm_up = atof(optarg); break;
	case 'd': duration = atof(optarg); break;
	default: return 2;
	}
	if (argc - optind != 2) {
		fprintf(stderr, "usage: loadgen [options] PORT PATH\n");
		return 2;
	}
	port = atoi(argv[optind]);
	for (size_t i = 0; i < sizeof pattern; i++) pattern[i] = "abcdefghijklmnopqrstuvwxyz012345"[i % 32];
	make_request(argv[optind + 1]);
	signal(SIGPIPE, SIG_IGN);
	prctl(PR_SET_TIMERSLACK, 1);
	setvbuf(stdout, 0, _IOLBF, 0);
	epoll = epoll_create1(EPOLL_CLOEXEC);
	struct conn *all = calloc(connections, sizeof *all);
	for (int i = 0; i < connections; i++) {
		all[i].fd = -1;
		all[i].next = free_conns;
		free_conns = &all[i];
	}
	double seconds = run();
	drain(all);
	printf("{\"seconds\": %.4f, \"requests\": %llu, \"errors\": %llu, \"error\": \"%s\", \"connections\": %llu, "
		"\"p50_us\": %.1f, \"p99_us\": %.1f}\n", seconds, (unsigned long long)done, (unsigned long long)errors,
		first_error, (unsigned long long)opened, quantile(0.5), quantile(0.99));
}
