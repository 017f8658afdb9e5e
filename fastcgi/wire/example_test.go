package wire_test

import (
	"fmt"

	"github.com/gangway-go/gangway/fastcgi/wire"
)

// A request as a web server sends it, and the application's view of it.
func Example() {
	request := wire.BeginRequest{Role: wire.RoleResponder, Flags: wire.FlagKeepConn}.Append(nil, 1)
	p := wire.BeginParams(request, 1)
	p.Add("REQUEST_METHOD", "GET")
	p.Add("SCRIPT_NAME", "/hello")
	request = wire.AppendEnd(p.End(), wire.TypeStdin, 1)

	for len(request) > 0 {
		h, content, rest, err := wire.ParseRecord(request)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(h.RequestID, h.Type, h.ContentLength)
		for h.Type == wire.TypeParams && len(content) > 0 {
			name, value, others, err := wire.ParsePair(content)
			if err != nil {
				fmt.Println(err)
				return
			}
			fmt.Printf("  %s = %s\n", name, value)
			content = others
		}
		request = rest
	}
	// Output:
	// 1 FCGI_BEGIN_REQUEST 8
	// 1 FCGI_PARAMS 38
	//   REQUEST_METHOD = GET
	//   SCRIPT_NAME = /hello
	// 1 FCGI_PARAMS 0
	// 1 FCGI_STDIN 0
}

// A record with padding, which the functions of this package do not write.
func ExampleHeader_Append() {
	content := "hello"
	h := wire.Header{
		Version: wire.Version1, Type: wire.TypeStdout, RequestID: 1,
		ContentLength: uint16(len(content)), PaddingLength: 3,
	}
	record := append(h.Append(nil), content...)
	record = append(record, make([]byte, h.PaddingLength)...)
	fmt.Printf("%q\n", record)
	// Output: "\x01\x06\x00\x01\x00\x05\x03\x00hello\x00\x00\x00"
}
