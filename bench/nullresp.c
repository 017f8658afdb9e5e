// nullresp is an application that costs next to nothing, so that what is measured is the gateway in front of it.
//
//	nullresp fcgi|scgi SOCKET
//
// It listens on a Unix socket and answers in one thread, by the last segment of REQUEST_URI:
//
//	hello   "hello world\n"
//	b<N>    N bytes of a pattern, at most 1 MiB
//	n<N>    the same without Content-Length
//	sink    the size of the request's body
//	echo    the request's body
//
// There is one request at a time on a connection. FastCGI connections are kept if FCGI_KEEP_CONN asks for it. Whatever
// else comes ends the connection, which the load generator then counts as an error.
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

enum { BEGIN = 1, ABORT, END, PARAMS, STDIN, STDOUT }; // record types, FastCGI 1.0 section 8

#define MAX_BODY (1 << 20)
#define MAX_RECORD 65528                     // bytes of content, a multiple of 8
#define MAX_RECORDS (MAX_BODY / MAX_RECORD + 2)

static bool fastcgi;
static int epoll, listener;
static char pattern[MAX_BODY];
static const char zeros[8];

struct bytes { char *at; size_t len, cap; };

struct conn {
	int fd;
	bool keep, closed, waits; // waits: for room to write
	int id;                   // of the FastCGI request; 0 between requests
	bool have_header;         // of the SCGI request
	size_t body_left;         // of the SCGI request
	uint64_t body_size;
	struct bytes in, params, body; // in: an unfinished record or header
	char want[64];
	// The answer that is being written.
	struct iovec out[4 * MAX_RECORDS + 4];
	int first, count;
	char header[256], number[32], records[8 * MAX_RECORDS + 24];
};

static void append(struct bytes *b, const void *data, size_t n) {
	if (n == 0) return;
	if (b->len + n > b->cap) {
		b->cap = (b->len + n) * 2;
		if (!(b->at = realloc(b->at, b->cap))) abort();
	}
	memcpy(b->at + b->len, data, n);
	b->len += n;
}

static void watch(struct conn *c, bool out) {
	struct epoll_event e = { .events = EPOLLIN | (out ? EPOLLOUT : 0), .data.ptr = c };
	epoll_ctl(epoll, EPOLL_CTL_MOD, c->fd, &e);
	c->waits = out;
}

static void end_conn(struct conn *c) { c->closed = true; }

static void write_out(struct conn *c) {
	while (c->first < c->count) {
		ssize_t n = writev(c->fd, c->out + c->first, c->count - c->first);
		if (n < 0 && errno == EAGAIN) {
			if (!c->waits) watch(c, true);
			return;
		}
		if (n < 0) return end_conn(c);
		for (; c->first < c->count && (size_t)n >= c->out[c->first].iov_len; c->first++)
			n -= c->out[c->first].iov_len;
		if (n > 0) {
			c->out[c->first].iov_base = (char *)c->out[c->first].iov_base + n;
			c->out[c->first].iov_len -= n;
		}
	}
	if (c->waits) watch(c, false);
	c->first = c->count = 0;
	if (!c->keep) end_conn(c);
}

static void add(struct conn *c, const void *data, size_t n) {
	if (n > 0) c->out[c->count++] = (struct iovec){ (void *)data, n };
}

static char *put_record(char *to, int type, int id, unsigned length) {
	unsigned char h[8] = { 1, type, id >> 8, id, length >> 8, length, -length & 7, 0 };
	return memcpy(to, h, 8);
}

// add_records adds header and body as FCGI_STDOUT, and the end of the request.
static void add_records(struct conn *c, size_t header, const char *body, size_t size) {
	char *to = c->records;
	for (size_t at = 0; header + size - at > 0; to += 8) {
		size_t room = MAX_RECORD - header, n = size - at < room ? size - at : room;
		add(c, put_record(to, STDOUT, c->id, header + n), 8);
		add(c, c->header, header);
		add(c, body + at, n);
		add(c, zeros, -(header + n) & 7);
		at += n;
		header = 0;
	}
	put_record(to, STDOUT, c->id, 0);
	put_record(to + 8, END, c->id, 8);
	memset(to + 16, 0, 8);
	add(c, to, 24);
}

// answer answers the request, which has come completely.
static void answer(struct conn *c) {
	const char *body = "hello world\n", *status = "200 OK";
	bool length = true;
	size_t size = 12;
	if (!strcmp(c->want, "sink")) {
		size = snprintf(c->number, sizeof c->number, "%llu\n", (unsigned long long)c->body_size);
		body = c->number;
	} else if (!strcmp(c->want, "echo")) {
		body = c->body.at;
		size = c->body.len;
	} else if (c->want[0] == 'b' || c->want[0] == 'n') {
		body = pattern;
		size = strtoul(c->want + 1, 0, 10);
		if (size > MAX_BODY) size = MAX_BODY;
		length = c->want[0] == 'b';
	} else if (strcmp(c->want, "hello")) {
		status = "404 Not Found";
	}
	int n = sprintf(c->header, "Status: %s\r\nContent-Type: text/plain\r\n", status);
	if (length) n += sprintf(c->header + n, "Content-Length: %zu\r\n", size);
	n += sprintf(c->header + n, "\r\n");
	if (fastcgi) {
		add_records(c, n, body, size);
	} else {
		add(c, c->header, n);
		add(c, body, size);
	}
	c->id = 0;
	c->params.len = 0;
	write_out(c);
}

static void begin(struct conn *c) {
	c->body.len = c->body_size = c->body_left = 0;
	c->want[0] = 0;
}

static void got_body(struct conn *c, const char *data, size_t n) {
	c->body_size += n;
	if (!strcmp(c->want, "echo") && c->body.len + n <= MAX_BODY) append(&c->body, data, n);
}

static void got_variable(struct conn *c, const char *name, size_t name_len, const char *value, size_t len) {
	if (name_len == 14 && !memcmp(name, "CONTENT_LENGTH", 14) && !fastcgi) c->body_left = strtoull(value, 0, 10);
	if (name_len != 11 || memcmp(name, "REQUEST_URI", 11)) return;
	const char *slash = memrchr(value, '/', len);
	if (!slash) return;
	len -= slash + 1 - value;
	if (len >= sizeof c->want) len = 0;
	memcpy(c->want, slash + 1, len);
	c->want[len] = 0;
}

static size_t pair_length(const unsigned char **at, const unsigned char *end) {
	const unsigned char *p = *at;
	size_t longer = p < end && p[0] & 0x80 ? 4 : 1;
	if ((size_t)(end - p) < longer) return SIZE_MAX / 4;
	*at += longer;
	return longer == 1 ? p[0] : (size_t)(p[0] & 0x7f) << 24 | p[1] << 16 | p[2] << 8 | p[3];
}

static void got_params(struct conn *c) {
	const unsigned char *at = (unsigned char *)c->params.at, *end = at + c->params.len;
	while (at < end) {
		size_t name = pair_length(&at, end), value = pair_length(&at, end);
		if (name + value > (size_t)(end - at)) return end_conn(c);
		got_variable(c, (char *)at, name, (char *)at + name, value);
		at += name + value;
	}
}

static void got_record(struct conn *c, int type, int id, const char *content, size_t n) {
	bool expected = type == BEGIN ? !c->id && !c->count && id && n == 8 : id == c->id;
	if (!expected) return end_conn(c);
	switch (type) {
	case BEGIN:
		begin(c);
		c->id = id;
		c->keep = content[2] & 1;
		return;
	case PARAMS:
		if (n > 0) return append(&c->params, content, n);
		return got_params(c);
	case STDIN:
		if (n > 0) return got_body(c, content, n);
		return answer(c);
	}
	end_conn(c); // FCGI_ABORT_REQUEST or what no gateway should send
}

// take_fcgi takes the whole records and returns how many bytes they are.
static size_t take_fcgi(struct conn *c, const char *data, size_t n) {
	size_t used = 0;
	while (!c->closed && n - used >= 8) {
		const unsigned char *h = (const unsigned char *)data + used;
		size_t length = h[4] << 8 | h[5], whole = 8 + length + h[6];
		if (n - used < whole) break;
		got_record(c, h[1], h[2] << 8 | h[3], data + used + 8, length);
		used += whole;
	}
	return used;
}

// take_scgi does the same for a netstring and the body behind it.
static size_t take_scgi(struct conn *c, const char *data, size_t n) {
	size_t used = 0;
	if (!c->have_header) {
		const char *colon = memchr(data, ':', n);
		if (!colon) return 0;
		const char *at = colon + 1, *end = at + strtoul(data, 0, 10);
		if (data + n <= end) return 0;
		used = end + 1 - data;
		begin(c);
		while (at < end) {
			const char *value = at + strnlen(at, end - at) + 1;
			size_t length = value < end ? strnlen(value, end - value) : 0;
			got_variable(c, at, value - 1 - at, value, length);
			at = value + length + 1;
		}
		c->have_header = true;
	}
	size_t body = n - used < c->body_left ? n - used : c->body_left;
	got_body(c, data + used, body);
	c->body_left -= body;
	if (c->body_left == 0) answer(c);
	return used + body;
}

static void read_in(struct conn *c) {
	static char buf[256 << 10];
	ssize_t n = read(c->fd, buf, sizeof buf);
	if (n < 0 && errno == EAGAIN) return;
	if (n <= 0) return end_conn(c);
	size_t (*take)(struct conn *, const char *, size_t) = fastcgi ? take_fcgi : take_scgi;
	if (c->in.len == 0) {
		size_t used = take(c, buf, n);
		return append(&c->in, buf + used, n - used);
	}
	append(&c->in, buf, n);
	size_t used = take(c, c->in.at, c->in.len);
	c->in.len -= used;
	memmove(c->in.at, c->in.at + used, c->in.len);
}

static void accept_all(void) {
	for (;;) {
		int fd = accept4(listener, 0, 0, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0) return;
		struct conn *c = calloc(1, sizeof *c);
		struct epoll_event e = { .events = EPOLLIN, .data.ptr = c };
		c->fd = fd;
		epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e);
	}
}

static void serve(void) {
	struct epoll_event events[256];
	for (;;) {
		int n = epoll_wait(epoll, events, 256, -1);
		for (int i = 0; i < n; i++) {
			struct conn *c = events[i].data.ptr;
			if (!c) {
				accept_all();
				continue;
			}
			if (events[i].events & EPOLLOUT) write_out(c);
			if (!c->closed && events[i].events & ~EPOLLOUT) read_in(c);
			if (c->closed) {
				close(c->fd);
				free(c->in.at);
				free(c->params.at);
				free(c->body.at);
				free(c);
			}
		}
	}
}

int main(int argc, char **argv) {
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	if (argc != 3 || strlen(argv[2]) >= sizeof addr.sun_path) {
		fprintf(stderr, "usage: nullresp fcgi|scgi SOCKET\n");
		return 2;
	}
	fastcgi = !strcmp(argv[1], "fcgi");
	signal(SIGPIPE, SIG_IGN);
	for (int i = 0; i < MAX_BODY; i++) pattern[i] = "abcdefghijklmnopqrstuvwxyz012345"[i % 32];
	strcpy(addr.sun_path, argv[2]);
	unlink(argv[2]);
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (bind(listener, (struct sockaddr *)&addr, sizeof addr) || listen(listener, 4096)) {
		perror(argv[2]);
		return 1;
	}
	epoll = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event e = { .events = EPOLLIN };
	epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &e);
	serve();
}
