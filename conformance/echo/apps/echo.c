/*
 * The echo application of gangway's conformance suite in C, on libfcgi (Debian: libfcgi-dev). It answers each request
 * with what it saw of it, and QUERY_STRING can ask for other answers: see the documentation of the package echo.
 *
 *     cc -O2 -o echo echo.c -lfcgi
 *     spawn-fcgi -n -s /tmp/echo.sock ./echo        FastCGI, with the listening socket on descriptor 0
 *     REQUEST_METHOD=GET ./echo                     CGI, if descriptor 0 is no listening socket
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <fcgi_stdio.h>
#include <fcgiapp.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

/* The answer's body before it is written. */
static char *text;
static size_t length, room;

static void put(const char *s, size_t n) {
	while (length + n > room)
		if (!(text = realloc(text, room = 2 * room + 4096)))
			abort();
	memcpy(text + length, s, n);
	length += n;
}

static void puts_(const char *s) {
	put(s, strlen(s));
}

static void put_number(uint64_t n) {
	char digits[24];
	sprintf(digits, "%" PRIu64, n);
	puts_(digits);
}

/* put_word appends a space and n percent-encoded bytes. */
static void put_word(const char *s, size_t n) {
	char escaped[4];
	puts_(" ");
	for (; n > 0; s++, n--) {
		if (isalnum((unsigned char)*s) || (*s && strchr("-._~/", *s))) {
			put(s, 1);
			continue;
		}
		sprintf(escaped, "%%%02X", (unsigned char)*s);
		puts_(escaped);
	}
}

/* SHA-256, FIPS 180-4. */
struct sha256 {
	uint32_t state[8];
	uint64_t size;
	unsigned char block[64];
};

static const uint32_t initial[8] = {
	0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
};

static const uint32_t round_constants[64] = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
	0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
	0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
	0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
	0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
	0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
	0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static uint32_t rotated(uint32_t x, int n) {
	return x >> n | x << (32 - n);
}

static void sha256_block(struct sha256 *h) {
	uint32_t w[64], v[8];
	for (int i = 0; i < 16; i++)
		w[i] = (uint32_t)h->block[4 * i] << 24 | h->block[4 * i + 1] << 16 | h->block[4 * i + 2] << 8 | h->block[4 * i + 3];
	for (int i = 16; i < 64; i++)
		w[i] = w[i - 16] + (rotated(w[i - 15], 7) ^ rotated(w[i - 15], 18) ^ w[i - 15] >> 3) + w[i - 7] +
			(rotated(w[i - 2], 17) ^ rotated(w[i - 2], 19) ^ w[i - 2] >> 10);
	memcpy(v, h->state, sizeof v);
	for (int i = 0; i < 64; i++) {
		uint32_t t1 = v[7] + (rotated(v[4], 6) ^ rotated(v[4], 11) ^ rotated(v[4], 25)) +
			((v[4] & v[5]) ^ (~v[4] & v[6])) + round_constants[i] + w[i];
		uint32_t t2 = (rotated(v[0], 2) ^ rotated(v[0], 13) ^ rotated(v[0], 22)) +
			((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));
		memmove(v + 1, v, 7 * sizeof *v);
		v[4] += t1;
		v[0] = t1 + t2;
	}
	for (int i = 0; i < 8; i++)
		h->state[i] += v[i];
}

static void sha256_add(struct sha256 *h, const unsigned char *s, size_t n) {
	for (; n > 0; s++, n--) {
		h->block[h->size++ % 64] = *s;
		if (h->size % 64 == 0)
			sha256_block(h);
	}
}

static void put_sha256(struct sha256 *h) {
	uint64_t bits = h->size * 8;
	unsigned char size[8];
	char digits[9];
	for (int i = 0; i < 8; i++)
		size[i] = bits >> (56 - 8 * i);
	sha256_add(h, (unsigned char *)"\x80", 1);
	while (h->size % 64 != 56)
		sha256_add(h, (unsigned char *)"", 1);
	sha256_add(h, size, 8);
	for (int i = 0; i < 8; i++) {
		sprintf(digits, "%08" PRIx32, h->state[i]);
		puts_(digits);
	}
}

/* put_input reads at most limit bytes of standard input, libfcgi's, and appends their length and hash. */
static void put_input(const char *name, uint64_t limit) {
	unsigned char buffer[16384];
	struct sha256 h = {.size = 0};
	size_t n;
	memcpy(h.state, initial, sizeof initial);
	while (h.size < limit) {
		n = limit - h.size < sizeof buffer ? limit - h.size : sizeof buffer;
		if ((n = fread(buffer, 1, n, stdin)) == 0)
			break;
		sha256_add(&h, buffer, n);
	}
	puts_(name);
	put_number(h.size);
	puts_(" ");
	put_sha256(&h);
	puts_("\n");
}

/* put_descriptors appends those above 2 that this program did not open for itself, so without close-on-exec. */
static void put_descriptors(void) {
	DIR *dir = opendir("/dev/fd");
	struct dirent *entry;
	while (dir && (entry = readdir(dir))) {
		int fd = atoi(entry->d_name), flags = fcntl(fd, F_GETFD);
		if (fd > 2 && fd != dirfd(dir) && flags >= 0 && !(flags & FD_CLOEXEC)) {
			puts_("fd ");
			put_number(fd);
			puts_("\n");
		}
	}
	if (dir)
		closedir(dir);
}

/* put_lines reads the request and appends the lines about it. */
static void put_lines(int argc, char **argv, int noread) {
	const char *role = getenv("FCGI_ROLE"), *size = getenv("CONTENT_LENGTH"), *equals;
	char cwd[4096] = "";
	puts_("echo 1\n");
	for (char **variable = environ; *variable; variable++) {
		if (!(equals = strchr(*variable, '=')))
			equals = *variable + strlen(*variable);
		puts_("var");
		put_word(*variable, equals - *variable);
		put_word(equals + (*equals != 0), strlen(equals + (*equals != 0)));
		puts_("\n");
	}
	for (int i = 1; i < argc; i++) {
		puts_("arg");
		put_word(argv[i], strlen(argv[i]));
		puts_("\n");
	}
	if (noread)
		puts_("body - -\n");
	else if (FCGX_IsCGI()) /* where the end of the message-body may be no end of file */
		put_input("body ", size && !size[strspn(size, "0123456789")] ? strtoull(size, NULL, 10) : 0);
	else
		put_input("body ", UINT64_MAX);
	if (!noread && role && strcmp(role, "FILTER") == 0 && FCGI_StartFilterData() == 0)
		put_input("data ", UINT64_MAX);
	put_descriptors();
	puts_("cwd");
	put_word(cwd, getcwd(cwd, sizeof cwd) ? strlen(cwd) : 0);
	puts_("\npid ");
	put_number(getpid());
	puts_("\nend\n");
}

/* mode returns what follows name in a mode of QUERY_STRING, or NULL. */
static const char *mode(const char *name) {
	const char *query = getenv("QUERY_STRING");
	size_t n = strlen(name);
	while (query && *query) {
		size_t end = strcspn(query, "&");
		if (end >= n && strncmp(query, name, n) == 0 && (name[n - 1] == '=' || end == n))
			return query + n;
		query += end + (query[end] == '&');
	}
	return NULL;
}

/* number returns the number of a mode, or otherwise if it has none. */
static int64_t number(const char *name, int64_t otherwise) {
	const char *digits = mode(name);
	size_t n = digits ? strspn(digits, "0123456789") : 0;
	return n > 0 && (digits[n] == '&' || digits[n] == 0) ? strtoll(digits, NULL, 10) : otherwise;
}

static void wait_ms(int64_t ms) {
	struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
	nanosleep(&t, NULL);
}

/* write_lines writes the bytes from..to of a line of 64 bytes that is repeated. */
static void write_lines(FILE *file, const char *line, int64_t from, int64_t to) {
	while (from < to) {
		size_t at = from % 64, n = to - from < (int64_t)(64 - at) ? (size_t)(to - from) : 64 - at;
		if (fwrite((void *)(line + at), 1, n, file) != n)
			return;
		from += n;
	}
}

static const char large_line[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ+\n";
static const char error_line[] = "eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee\n";

static void die(void) {
	kill(getpid(), SIGKILL);
}

/* respond writes the answer; all of the request that it shows has been read into text. */
static void respond(void) {
	int64_t errors = number("stderr=", 0), pause = number("flush=", -1), last = number("crash=", -1);
	int64_t large = last >= 0 ? last : number("large=", -1);
	int binary = mode("binary") != NULL;
	write_lines(stderr, error_line, 0, errors / 2);
	fflush(stderr);
	printf("Content-Type: %s\r\n\r\n",
		large >= 0 || binary ? "application/octet-stream" : "text/x-gangway-echo");
	if (large < 0 && !binary && pause >= 0) {
		for (int tick = 1; tick <= 3; tick++) {
			if (tick > 1)
				wait_ms(pause);
			printf("tick %d\n", tick);
			fflush(stdout);
		}
		return;
	}
	if (binary)
		for (length = 0; length < 256;)
			put(&(char){length}, 1);
	if (large >= 0)
		write_lines(stdout, large_line, 0, large / 2);
	else
		fwrite(text, 1, length / 2, stdout);
	if (errors > 0) {
		fflush(stdout);
		write_lines(stderr, error_line, errors / 2, errors);
		fflush(stderr);
	}
	if (large >= 0)
		write_lines(stdout, large_line, large / 2, large);
	else
		fwrite(text + length / 2, 1, length - length / 2, stdout);
	if (last >= 0) {
		fflush(stdout);
		die();
	}
}

int main(int argc, char **argv) {
	int status = 0;
	while (FCGI_Accept() >= 0) {
		const char *role = getenv("FCGI_ROLE");
		if (role && strcmp(role, "AUTHORIZER") == 0) {
			printf("Status: 200\r\nVariable-ECHO: 1\r\n\r\n");
			continue;
		}
		length = 0;
		put_lines(argc, argv, mode("noread") != NULL);
		wait_ms(number("sleep=", 0));
		if (mode("crash"))
			die();
		if (!mode("empty"))
			respond();
		if (number("exit=", -1) >= 0)
			FCGI_SetExitStatus(status = number("exit=", 0));
	}
	return status;
}
