package static_test

import (
	"fmt"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/adapters/static"
)

// The files of a folder by net/http.
func ExampleDir() {
	root, err := os.MkdirTemp("", "static")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(root)
	if err := os.WriteFile(filepath.Join(root, "a.txt"), []byte("a file"), 0o644); err != nil {
		log.Fatal(err)
	}
	handler := adapters.HTTP(static.Dir(root))
	for _, path := range []string{"/a.txt", "/.git/config"} {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		fmt.Println(path, w.Code, w.Header().Get("Content-Type"))
	}
	// Output:
	// /a.txt 200 text/plain; charset=utf-8
	// /.git/config 404 text/plain; charset=utf-8
}
