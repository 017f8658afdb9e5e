package faulty

import (
	"net"
	"strings"
)

// misreportsTail are about the variables from REMOTE_ADDR on, and the fields of the request.
var misreportsTail = []misreport{
	{
		"addr-with-port", "It adds the port to REMOTE_ADDR.",
		"4.1.8/remote-addr-v4 4.1.8/remote-addr-v6 4.1.8/remote-addr-not-xff 4.1.9/remote-host",
		changing("REMOTE_ADDR", func(s string) string { return net.JoinHostPort(s, "1") }),
	},
	{
		"brackets-addr", "It puts an IPv6 address in brackets.",
		"4.1.8/remote-addr-v6", changing("REMOTE_ADDR", func(s string) string {
			if strings.Contains(s, ":") {
				return "[" + s + "]"
			}
			return s
		}),
	},
	{
		"believes-forwarded", "It takes the client's address from X-Forwarded-For.",
		"4.1.8/remote-addr-not-xff", func(v *variables, r *gatewayRequest) {
			if from := r.field("X-Forwarded-For"); from != "" {
				v.set("REMOTE_ADDR", from)
			}
		},
	},
	{
		"unix-without-addr", "It has no REMOTE_ADDR for a client on a Unix socket.",
		"4.1.8/remote-addr-unix", func(v *variables, r *gatewayRequest) {
			if r.remote.Network() == "unix" {
				v.set("REMOTE_ADDR", "")
			}
		},
	},
	{
		"invents-host", "It sets REMOTE_HOST to what is no host name.",
		"4.1.9/remote-host", setting("REMOTE_HOST", "not known"),
	},
	{
		"invents-ident", "It sets REMOTE_IDENT without having asked.",
		"4.1.10/remote-ident", setting("REMOTE_IDENT", "nobody"),
	},
	{
		"user-with-password", "It adds the password to REMOTE_USER.",
		"4.1.11/remote-user 4.1.11/remote-user-utf8",
		changing("REMOTE_USER", func(s string) string { return s + ":gangway" }),
	},
	{
		"user-ascii", "It replaces what is not ASCII in REMOTE_USER.",
		"4.1.11/remote-user-utf8", changing("REMOTE_USER", ascii),
	},
	{
		"field-sets-user", "It sets REMOTE_USER to the field Remote-User.",
		"4.1.11/remote-user-spoof", func(v *variables, r *gatewayRequest) {
			if user := r.field("Remote-User"); user != "" {
				v.set("REMOTE_USER", user)
			}
		},
	},
	{
		"uppercases-method", "It changes REQUEST_METHOD to upper case.",
		"4.1.12/request-method-case", changing("REQUEST_METHOD", strings.ToUpper),
	},
	{
		"method-letters-only", "It drops what is no letter from REQUEST_METHOD.",
		"4.1.12/request-method-token", changing("REQUEST_METHOD", strings.NewReplacer("-", "", "!", "").Replace),
	},
	{
		"believes-method-override", "It takes the method from X-HTTP-Method-Override.",
		"4.1.12/request-method-override", func(v *variables, r *gatewayRequest) {
			if method := r.field("X-HTTP-Method-Override"); method != "" {
				v.set("REQUEST_METHOD", method)
			}
		},
	},
	{
		"head-becomes-get", "It hands over HEAD as GET.",
		"4.1.12/request-method-head", changing("REQUEST_METHOD", func(s string) string {
			if s == "HEAD" {
				return "GET"
			}
			return s
		}),
	},
	{
		"get-becomes-head", "It hands over GET as HEAD.",
		"4.1.12/request-method-get", changing("REQUEST_METHOD", func(s string) string {
			if s == "GET" {
				return "HEAD"
			}
			return s
		}),
	},
	{
		"others-become-trace", "It hands over all methods but GET and HEAD as TRACE.",
		"4.1.12/request-method-post 4.1.12/request-method-put 4.1.12/request-method-delete 4.1.12/request-method-options " +
			"4.1.12/request-method-patch 4.1.12/request-method-propfind 4.1.12/request-method-case " +
			"4.1.12/request-method-token 4.1.12/request-method-override",
		changing("REQUEST_METHOD", func(s string) string {
			if s == "GET" || s == "HEAD" {
				return s
			}
			return "TRACE"
		}),
	},
	{
		"script-name-whole-path", "It sets SCRIPT_NAME to the whole path.",
		"4.1/absolute-form-target 4.1.13/script-name 4.1.13/script-name-decoded 4.1.13/script-uri-roundtrip " +
			"4.1.5/script-split-php-extension",
		func(v *variables, _ *gatewayRequest) { v.set("SCRIPT_NAME", v.get("SCRIPT_NAME")+v.get("PATH_INFO")) },
	},
	{
		"script-name-encoded", "It does not decode SCRIPT_NAME.",
		"4.1.13/script-name-decoded", func(v *variables, r *gatewayRequest) {
			if strings.HasPrefix(r.target, "/%") {
				v.set("SCRIPT_NAME", strings.TrimSuffix(r.target, v.get("PATH_INFO")))
			}
		},
	},
	{
		"server-name-with-port", "It sets SERVER_NAME to the field Host as it is.",
		"4.1.14/server-name-host 4.1.14/server-name-ipv6", func(v *variables, r *gatewayRequest) {
			if r.host != "" {
				v.set("SERVER_NAME", r.host)
			}
		},
	},
	{
		"server-name-no-brackets", "It takes the brackets off an IPv6 address in SERVER_NAME.",
		"4.1.14/server-name-ipv6", changing("SERVER_NAME", func(s string) string { return strings.Trim(s, "[]") }),
	},
	{
		"server-name-from-host-only", "It leaves SERVER_NAME empty if there is no field Host.",
		"4.1.14/server-name-no-host", func(v *variables, r *gatewayRequest) {
			if r.host == "" {
				v.set("SERVER_NAME", "")
			}
		},
	},
	{
		"default-port", "It sets SERVER_PORT to 80 always.",
		"4.1.15/server-port 4.1.15/server-port-not-from-host", setting("SERVER_PORT", "80"),
	},
	{
		"port-from-host", "It sets SERVER_PORT to the port in the field Host.",
		"4.1.15/server-port-not-from-host", func(v *variables, r *gatewayRequest) {
			if _, port := splitHost(r.host); port != "" {
				v.set("SERVER_PORT", port)
			}
		},
	},
	{
		"always-http-1.1", "It sets SERVER_PROTOCOL to HTTP/1.1 for HTTP/1.0 too.",
		"4.1.16/server-protocol",
		changing("SERVER_PROTOCOL", func(s string) string { return strings.Replace(s, "/1.0", "/1.1", 1) }),
	},
	{
		"http2-without-minor", "It sets SERVER_PROTOCOL to HTTP/2.",
		"4.1.16/server-protocol-h2",
		changing("SERVER_PROTOCOL", func(s string) string { return strings.Replace(s, "/2.0", "/2", 1) }),
	},
	{
		"odd-software", "It sets SERVER_SOFTWARE to what is no product.",
		"4.1.17/server-software", setting("SERVER_SOFTWARE", "gateway/1.0/beta (of this"),
	},
	{
		"https-always", "It sets HTTPS to on without TLS too.",
		"4.1.18/https-variable 4.1.18/header-https", setting("HTTPS", "on"),
	},
	{
		"value-ascii", "It replaces what is not ASCII in fields.",
		"4.1.18/http-value-latin1", changing("HTTP_X_VALUE", ascii),
	},
	{
		"keeps-lower-case", "It does not change the names of fields that begin with a small letter.",
		"4.1.18/http-lowercase", func(v *variables, r *gatewayRequest) {
			for _, field := range r.fields {
				if name, ok := variableName(field.Name); ok && field.Name[0] >= 'a' && !hidden[name] {
					v.drop("HTTP_" + name)
					v.set("HTTP_"+strings.ReplaceAll(field.Name, "-", "_"), field.Value)
				}
			}
		},
	},
	{
		"hyphens-stay", "It does not replace hyphens in names of more than one.",
		"4.1.18/http-mapping", func(v *variables, _ *gatewayRequest) {
			for i, one := range v.list {
				if name := one.Name; strings.HasPrefix(name, "HTTP_") && strings.Count(name, "_") == 3 {
					v.list[i].Name = "HTTP_" + strings.ReplaceAll(name[5:], "_", "-")
				}
			}
		},
	},
	{
		"empty-value-dash", "It sets a variable to a hyphen if the field is empty.",
		"4.1.18/http-empty-value", func(v *variables, r *gatewayRequest) {
			for i := range v.list {
				if v.list[i].Value == "" && strings.HasPrefix(v.list[i].Name, "HTTP_") {
					v.list[i].Value = "-"
				}
			}
		},
	},
	{
		"host-without-port", "It takes the port off HTTP_HOST.",
		"4.1.18/http-host", changing("HTTP_HOST", func(s string) string {
			name, _ := splitHost(s)
			return name
		}),
	},
	{
		"obeys-nomination", "It forgets what it knows by fields that the client names in Connection.",
		"4.1.18/http-connection-nominated", func(v *variables, r *gatewayRequest) {
			if r.has("Connection", "Content-Type") {
				v.drop("CONTENT_TYPE")
			}
		},
	},
	{
		"underscore-is-hyphen", "It makes variables of fields with an underscore in their name.",
		"4.1.18/underscore-collision 4.1.18/underscore-alone", func(v *variables, r *gatewayRequest) {
			v.fold(r, "_", func(field Var) string { return "HTTP_" + field.Name })
		},
	},
	{
		"all-characters-fold", "It makes an underscore of all characters but letters and digits.",
		"4.1.18/dot-in-name", func(v *variables, r *gatewayRequest) {
			v.fold(r, ".~!", func(field Var) string { return "HTTP_" + strings.Map(underscored, field.Name) })
		},
	},
	{
		"underscored-content-type", "It takes a field Content_Type for Content-Type.",
		"4.1.18/content-length-underscore", func(v *variables, r *gatewayRequest) {
			v.fold(r, "_", func(field Var) string {
				if field.Name == "Content_Type" {
					return "CONTENT_TYPE"
				}
				return "HTTP_DROPPED"
			})
		},
	},
	{
		"fields-without-prefix", "It makes variables without HTTP_ of fields that are named like one.",
		"4.1.18/header-named-like-metavar 4.1.18/header-https", func(v *variables, r *gatewayRequest) {
			for _, field := range r.fields {
				switch name, _ := variableName(field.Name); name {
				case "SCRIPT_FILENAME", "DOCUMENT_ROOT", "PHP_VALUE", "HTTPS":
					v.set(name, field.Value)
				}
			}
		},
	},
	{
		"cuts-long-names", "It cuts the names of variables at 1024 bytes.",
		"4.1.18/header-name-long", func(v *variables, _ *gatewayRequest) {
			for i := range v.list {
				v.list[i].Name = v.list[i].Name[:min(len(v.list[i].Name), 1024)]
			}
		},
	},
	{
		"hides-coding", "It does not say that the body has a content-coding.",
		"4.2/content-encoding-untouched", func(v *variables, _ *gatewayRequest) { v.drop("HTTP_CONTENT_ENCODING") },
	},
	{
		"hides-nothing", "It makes a variable of every field.",
		"4.1.18/http-transfer-encoding-removed 4.1.18/http-no-content-vars 4.1.18/http-no-authorization " +
			"4.1.18/http-no-proxy-authorization 4.1.18/http-connection-removed 4.1.18/httpoxy",
		func(v *variables, r *gatewayRequest) {
			for _, field := range r.fields {
				if name, ok := variableName(field.Name); ok && hidden[name] {
					v.set("HTTP_"+name, field.Value)
				}
			}
		},
	},
	{
		"passes-proxy", "It makes HTTP_PROXY of the field Proxy.", "4.1.18/httpoxy", func(v *variables, r *gatewayRequest) {
			if proxy := r.field("Proxy"); proxy != "" {
				v.set("HTTP_PROXY", proxy)
			}
		},
	},
}

// fold sets variables to fields whose names have one of the characters.
func (v *variables) fold(r *gatewayRequest, characters string, name func(Var) string) {
	for _, field := range r.fields {
		if strings.ContainsAny(field.Name, characters) {
			v.set(strings.ToUpper(name(field)), field.Value)
		}
	}
}

func underscored(c rune) rune {
	if strings.ContainsRune(".~!-", c) {
		return '_'
	}
	return c
}
