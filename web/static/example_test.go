package static_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"

	"github.com/network-utopia/utopia/web/static"
)

func Example() {
	dir, err := os.MkdirTemp("", "www")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if err := os.WriteFile(filepath.Join(dir, "index.html"), []byte("<h1>Hello</h1>\n"), 0o644); err != nil {
		fmt.Println(err)
		return
	}
	site, err := static.New(static.Options{Root: dir})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = site.Close() }()

	for _, target := range []string{"/", "/../etc/passwd", "/nothing"} {
		w := httptest.NewRecorder()
		site.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "http://localhost"+target, nil))
		fmt.Println(w.Code, w.Header().Get("Content-Type"))
	}
	// Output:
	// 200 text/html; charset=utf-8
	// 400 text/html; charset=utf-8
	// 404 text/html; charset=utf-8
}

func ExampleErrorPage() {
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodGet, "http://localhost/", nil)
	static.ErrorPage(w, r, http.StatusMisdirectedRequest, "This server is not responsible for that name.")
	fmt.Println(w.Code)
	// Output: 421
}
