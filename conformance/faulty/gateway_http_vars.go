package faulty

import (
	"net"
	"strconv"
	"strings"
)

// hidden are the fields that do not become variables: they have a variable of their own, carry secrets, or concern the
// connection only (RFC 3875 section 4.1.18); and Proxy would become the variable that sets a proxy (CVE-2016-5385).
var hidden = map[string]bool{
	"CONTENT_LENGTH": true, "CONTENT_TYPE": true, "AUTHORIZATION": true, "PROXY_AUTHORIZATION": true, "PROXY": true,
	"CONNECTION": true, "KEEP_ALIVE": true, "TRANSFER_ENCODING": true, "TE": true, "TRAILER": true, "UPGRADE": true,
	"EXPECT": true,
}

// variables makes the meta-variables of a request, RFC 3875 section 4.1.
func (g *Gateway) variables(r *gatewayRequest, at place) []Var {
	localHost, localPort := splitAddr(r.local)
	remoteHost, remotePort := splitAddr(r.remote)
	name, _ := splitHost(r.host)
	if name == "" {
		name = localHost
	}
	vars := []Var{
		{"GATEWAY_INTERFACE", "CGI/1.1"},
		{"SERVER_SOFTWARE", gatewaySoftware},
		{"SERVER_NAME", name},
		{"SERVER_PORT", localPort},
		{"SERVER_ADDR", localHost},
		{"SERVER_PROTOCOL", r.proto},
		{"REMOTE_ADDR", remoteHost},
		{"REMOTE_HOST", remoteHost},
		{"REMOTE_PORT", remotePort},
		{"REQUEST_METHOD", r.method},
		{"REQUEST_URI", r.target},
		{"SCRIPT_NAME", at.script},
		{"QUERY_STRING", r.query},
		{"DOCUMENT_ROOT", g.Root},
		{"SCRIPT_FILENAME", at.file},
		{"REDIRECT_STATUS", "200"},
	}
	if at.info != "" {
		vars = append(vars, Var{"PATH_INFO", at.info}, Var{"PATH_TRANSLATED", g.Root + at.info})
	}
	if r.secure {
		vars = append(vars, Var{"HTTPS", "on"})
	}
	if r.user != "" {
		vars = append(vars, Var{"AUTH_TYPE", "Basic"}, Var{"REMOTE_USER", r.user})
	}
	if r.body != nil {
		vars = append(vars, Var{"CONTENT_LENGTH", strconv.FormatInt(r.length, 10)})
	}
	if types := r.values("Content-Type"); len(types) > 0 {
		vars = append(vars, Var{"CONTENT_TYPE", strings.Join(types, "; ")})
	}
	return g.misreported(g.protocolVariables(vars, r), r)
}

// protocolVariables appends the fields of the request, RFC 3875 section 4.1.18.
func (g *Gateway) protocolVariables(vars []Var, r *gatewayRequest) []Var {
	own := len(vars)
	index := map[string]int{}
	for _, field := range r.fields {
		name, ok := variableName(field.Name)
		if strings.Contains(field.Name, "=") { // which only a mutant lets in
			vars = append(vars, Var{"HTTP_" + field.Name, field.Value})
		}
		if !ok || hidden[name] {
			continue
		}
		if i, twice := index[name]; twice {
			separator := ", "
			if name == "COOKIE" && !g.fault.is("comma-between-cookies") { // RFC 6265 section 5.4
				separator = "; "
			}
			if vars[own+i].Value += separator; g.fault.is("last-duplicate-wins") {
				vars[own+i].Value = ""
			}
			vars[own+i].Value += field.Value
			continue
		}
		index[name] = len(vars) - own
		vars = append(vars, Var{"HTTP_" + name, field.Value})
	}
	return vars
}

// variableName makes the name of a variable of a field's. Two fields whose names differ must not become one variable,
// so there are names that no variable is made of: all that have other characters than letters, digits and hyphens.
func variableName(field string) (string, bool) {
	for i := range len(field) {
		c := field[i]
		if !isAlphanumeric(c) && c != '-' {
			return "", false
		}
	}
	return strings.ReplaceAll(strings.ToUpper(field), "-", "_"), true
}

// splitAddr splits an address; that of a Unix socket counts as the loopback's.
func splitAddr(addr net.Addr) (host, port string) {
	tcp, ok := addr.(*net.TCPAddr)
	if !ok {
		return "127.0.0.1", "0"
	}
	return tcp.IP.String(), strconv.Itoa(tcp.Port)
}
