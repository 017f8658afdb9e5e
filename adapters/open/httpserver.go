package open

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/adapters/http1"
)

// An httpServer is that of net/http, which closes idle connections as soon as it shuts down. Here they have time for a
// request that is on its way.
type httpServer struct {
	http.Server
	ln       atomic.Pointer[net.Listener]
	conns    *netConns
	draining atomic.Bool
}

func newHTTPServer(a Address, h adapters.Handler, o ListenOptions) (*httpServer, error) {
	frontend := &adapters.HTTPFrontend{
		Handler: h, Log: o.Log, Reporter: o.Reporter, ServerNames: o.NamesOf(a), MaxStderr: o.Limits.MaxStderr,
	}
	s := &httpServer{conns: newNetConns(&o)}
	s.Server = http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if s.draining.Load() {
				w.Header().Set("Connection", "close")
			}
			frontend.ServeHTTP(w, r)
		}),
		ConnState:         s.conns.note,
		ErrorLog:          slog.NewLogLogger(o.Log.Handler(), slog.LevelDebug),
		ReadHeaderTimeout: cmp.Or(o.Limits.HeaderTimeout, http1.DefaultHeaderTimeout),
		IdleTimeout:       cmp.Or(o.Limits.IdleTimeout, http1.DefaultIdleTimeout),
		MaxHeaderBytes:    cmp.Or(o.Limits.MaxHeader, http1.DefaultMaxHeader),
		Protocols:         new(http.Protocols),
	}
	if o.ProxyProtocol != nil {
		s.ConnContext = withPeer
	}
	s.Protocols.SetHTTP1(true)
	if a.Scheme == "http" {
		s.Protocols.SetUnencryptedHTTP2(true)
	} else {
		s.Protocols.SetHTTP2(true)
		cert, err := tls.LoadX509KeyPair(o.CertFile, o.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("https needs a certificate and its key: %w", err)
		}
		s.TLSConfig = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
	}
	return s, nil
}

// Serve serves TLS if a certificate was given.
func (s *httpServer) Serve(ln net.Listener) error {
	s.ln.Store(&ln)
	if s.TLSConfig != nil {
		return s.Server.ServeTLS(ln, "", "")
	}
	return s.Server.Serve(ln)
}

// Shutdown cuts what is under way when ctx is done.
func (s *httpServer) Shutdown(ctx context.Context) error {
	if ln := s.ln.Load(); ln != nil {
		s.draining.Store(true)
		(*ln).Close()
		s.awaitEnds(ctx)
	}
	defer s.conns.crowded.Stop()
	err := s.Server.Shutdown(ctx)
	if errors.Is(err, net.ErrClosed) { // it closes the listener again, unless Serve has returned
		err = nil
	}
	if err != nil {
		s.Close()
	}
	return err
}

// awaitEnds gives the connections time to end with their next response. One that was accepted just now may not be
// counted yet, so the first look is not at once.
func (s *httpServer) awaitEnds(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, adapters.IdleEnd(ctx))
	defer cancel()
	for n := 1; n > 0; n, _ = s.conns.count() {
		select {
		case <-ctx.Done():
			return
		case <-time.After(5 * time.Millisecond):
		}
	}
}
