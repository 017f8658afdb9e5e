package adapters

import "strings"

// commonFields are the request header fields whose variable names are made once.
var commonFields = []string{
	"Accept", "Accept-Charset", "Accept-Encoding", "Accept-Language", "Access-Control-Request-Headers",
	"Access-Control-Request-Method", "Authorization", "Cache-Control", "Connection", "Content-Encoding",
	"Content-Language", "Cookie", "Date", "Depth", "Destination", "Dnt", "Expect", "Forwarded", "From", "If",
	"If-Match", "If-Modified-Since", "If-None-Match", "If-Range", "If-Unmodified-Since", "Keep-Alive", "Max-Forwards",
	"Origin", "Overwrite", "Pragma", "Priority", "Range", "Referer", "Sec-Ch-Ua", "Sec-Ch-Ua-Mobile",
	"Sec-Ch-Ua-Platform", "Sec-Fetch-Dest", "Sec-Fetch-Mode", "Sec-Fetch-Site", "Sec-Fetch-User", "Te", "Timeout",
	"Traceparent", "Tracestate", "Upgrade", "Upgrade-Insecure-Requests", "User-Agent", "Via", "X-Csrf-Token",
	"X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-Ip", "X-Request-Id", "X-Requested-With",
}

var (
	envNames   = make(map[string]string, 2*len(commonFields)) // "User-Agent" → "HTTP_USER_AGENT"
	fieldNames = make(map[string]string, len(commonFields))   // the other way
)

func init() {
	for _, field := range commonFields {
		env := foldName(field)
		envNames[field], envNames[strings.ToLower(field)] = env, env // as net/http and as HTTP/2 write it
		fieldNames[env] = field
	}
}

// envName returns the variable for a header field, RFC 3875 4.1.18, and whether the field may become one.
func envName(field string) (string, bool) {
	if name, ok := envNames[field]; ok {
		return name, true
	}
	switch {
	case EqualName(field, "Content-Type"), EqualName(field, "Content-Length"), // have variables of their own
		EqualName(field, "Host"), EqualName(field, "Proxy"):
		return "", false
	}
	for i := range len(field) {
		if c := field[i]; c != '-' && (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') {
			return "", false
		}
	}
	return foldName(field), field != ""
}

func foldName(field string) string {
	b := make([]byte, len("HTTP_"), len("HTTP_")+len(field))
	copy(b, "HTTP_")
	for i := range len(field) {
		c := field[i]
		switch {
		case c == '-':
			c = '_'
		case 'a' <= c && c <= 'z':
			c -= 0x20
		}
		b = append(b, c)
	}
	return string(b)
}

// fieldName returns the header field of an HTTP_* variable, and whether envName leads back to exactly this variable.
func fieldName(env string) (string, bool) {
	if field, ok := fieldNames[env]; ok {
		return field, true
	}
	rest := env[len("HTTP_"):]
	b := make([]byte, len(rest))
	upper := true
	for i := range len(rest) {
		c := rest[i]
		switch {
		case c == '_':
			c = '-'
		case 'A' <= c && c <= 'Z':
			if !upper {
				c += 0x20
			}
		case c < '0' || c > '9':
			return "", false
		}
		b[i] = c
		upper = c == '-'
	}
	field := string(b)
	_, ok := envName(field)
	return field, ok
}
