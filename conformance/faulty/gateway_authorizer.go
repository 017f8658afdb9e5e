package faulty

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
)

// roleVariable tells the FastCGI backend the role that the application plays; applications know it too.
const roleVariable = "FCGI_ROLE"

// authorize asks an Authorizer, FastCGI 1.0 section 6.3. It returns the variables of the request for the Responder, or
// none if the Authorizer has answered the client.
func (g *Gateway) authorize(ctx context.Context, r *gatewayRequest, vars []Var, out reply) ([]Var, error) {
	asked := slices.DeleteFunc(slices.Clone(vars), func(v Var) bool {
		return v.Name == "CONTENT_LENGTH" || v.Name == "PATH_INFO" && !g.fault.is("authorizer-sees-all") ||
			v.Name == "PATH_TRANSLATED" || v.Name == "SCRIPT_NAME"
	})
	asked = append(asked, Var{roleVariable, "AUTHORIZER"})
	output, err := g.backend.RoundTrip(ctx, asked, strings.NewReader(""))
	if err != nil && g.fault.is("unguarded-errors") {
		return vars, nil
	}
	if err != nil {
		return nil, err
	}
	defer output.Close()
	br := bufio.NewReader(output)
	head, err := g.readResponse(br)
	switch {
	case g.fault.is("unguarded-errors") && err != nil:
		return vars, nil
	case err != nil || !head.valid() || head.isLocal():
		return nil, refuse(http.StatusBadGateway)
	case head.status != http.StatusOK && g.fault.is("own-words-for-403"):
		return nil, refuse(head.status)
	case head.status != http.StatusOK:
		return nil, g.relayBody(r, head, br, out)
	}
	if _, err := io.Copy(io.Discard, br); err != nil {
		return nil, refuse(http.StatusBadGateway)
	}
	fields := head.fields
	switch {
	case g.fault.is("forgets-granted"):
		fields = nil
	case g.fault.is("field-grants"):
		fields = append(fields, r.fields...)
	case g.fault.is("authorizer-again"):
		vars = append(vars, Var{roleVariable, "AUTHORIZER"})
	case g.fault.is("authorizer-fields-stay"):
		out.interim(http.StatusOK, fields)
	}
	var granted []Var
	for _, field := range fields {
		if name, ok := strings.CutPrefix(field.Name, "Variable-"); ok {
			granted = append(granted, Var{name, field.Value})
		}
	}
	return unique(append(granted, vars...)), nil
}

// filtered adds what a Filter gets, FastCGI 1.0 section 6.4.
func filtered(vars []Var, name string) ([]Var, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, refuse(http.StatusNotFound)
	}
	return append(vars, Var{roleVariable, "FILTER"}, Var{"FCGI_DATA_LENGTH", fmt.Sprint(info.Size())},
		Var{"FCGI_DATA_LAST_MOD", fmt.Sprint(info.ModTime().Unix())}), nil
}
