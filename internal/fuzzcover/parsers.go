package main

// parsers are all parsers of the module: whatever takes bytes of others apart.
var parsers = []parserCode{
	// What clients and web servers send.
	{"adapters/http1", "FuzzAgainstNetHTTP", []string{
		"head.go", "body.go:begin next nextChunk parseChunkSize validExtensions skipBlank tokenLen quotedLen readTrailer",
		"conn.go:readHead notHTTP longLine"}},
	{"adapters", "FuzzCanonicalPath", []string{"path.go:CanonicalPath cleanPath joinSegments hasDotSegment ambiguous " +
		"HiddenPath EncodedSeparator"}},
	{"adapters", "FuzzWindowsAlias", []string{"path.go:windowsAlias"}},
	{"adapters", "FuzzParseVars", []string{"parsevars.go"}},
	{"fastcgi", "FuzzServer", []string{
		"server_conn.go:readRecords discard record management values begin",
		"server_request.go:receiveParams endParams parse openInput number receive"}},
	{"fastcgi/wire", "FuzzParseRecord", []string{"record.go:ParseHeader ParseRecord", "body.go:ParseBeginRequest " +
		"ParseEndRequest ParseUnknownType"}},
	{"fastcgi/wire", "FuzzParsePair", []string{"pair.go:ParsePair parseLength AppendPair appendLengths appendLength"}},
	{"fastcgi/wire", "FuzzParams", []string{"params.go:BeginParams Add End open next room write"}},
	{"scgi", "FuzzParseHeader", []string{"server_conn.go:parseHeader"}},
	{"scgi", "FuzzReadRequest", []string{"server_conn.go:readRequest parseHeader"}},
	{"scgi/wire", "FuzzParseNetstring", []string{"wire.go:Enclose ParseNetstring"}},
	{"scgi/wire", "FuzzParsePair", []string{"wire.go:AppendPair ParsePair"}},
	{"scgi/uwsgi", "FuzzParsePacket", []string{"uwsgi.go:ParseHeader ParsePacket ParsePair parseString"}},
	{"adapters/middleware", "FuzzAuthorization", []string{"authorization.go:credentials basicCredentials hasControl " +
		"parseParams paramValue", "digest.go:set field complete algorithmNamed"}},
	{"adapters/middleware", "FuzzForwarded", []string{"forwarded.go:usual standard client list parseNode " +
		"validProto validHost validPort parseForwarded parseElement"}},
	{"internal/proxyproto", "FuzzRead", []string{"header.go"}},

	// What applications send.
	{"adapters", "FuzzReadHeader", []string{"header.go:Feed blockEnd ReadHeader EndError parseBlock line status finish"}},
	{"adapters", "FuzzUnchunked", []string{"unchunked.go"}},
	{"adapters/middleware", "FuzzSendfilePath", []string{"sendfile.go:cleanFile cleanURI"}},
	{"fastcgi", "FuzzClientRecords", []string{"client_records.go:read next check", "client_response.go:pull take " +
		"endRequest"}},
	{"fastcgi/gofast", "FuzzAnswer", []string{"guard.go:guard.Read next skip stderr end lost"}},
	{"cli", "FuzzTracer", []string{"trace.go:tracer.trace piece record pairs"}},

	// What users write.
	{"adapters/open", "FuzzParse", []string{"address.go"}},
	{"adapters/middleware", "FuzzHtpasswd", []string{"htpasswd.go:parseHtpasswd numberedLines parseHash acceptSHA2 " +
		"acceptPlain"}},
	{"adapters/middleware", "FuzzHtdigest", []string{"htdigest.go:parseHtdigest add allHave isHex"}},
	{"cli", "FuzzParseSize", []string{"limitvalues.go:parseSize"}},

	// The conformance runner.
	{"conformance/server", "FuzzFrame", []string{"probe.go:appendFrame parseFrame"}},
	{"conformance/server", "FuzzSniff", []string{"app_fcgi.go:sniff chat refuse", "app_scgi.go:sniff"}},
	{"conformance/server", "FuzzResponse", []string{"http_response.go:advance line fault head headComplete " +
		"statusLine field isToken frame take chunked chunkSize"}},
	{"conformance/app", "FuzzParseReply", []string{"t.go:parseReply cutLine"}},
	{"conformance/report", "FuzzRead", []string{"json.go:Read readLines"}},
	{"conformance/echo", "FuzzParse", []string{"reply.go:Parse fail next must expect number digest decode"}},
	{"conformance/script", "FuzzParse", []string{"response.go"}},
}
