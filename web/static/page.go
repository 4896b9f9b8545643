package static

import (
	"fmt"
	"html"
	"net/http"
	"strconv"
)

// pageHead opens every page that is made here. There is nothing in it to load, and no script.
const pageHead = `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>%s</title>
<style>
:root { color-scheme: light dark; }
body { font: 1rem/1.6 system-ui, sans-serif; max-width: 44rem; margin: 12vh auto 2rem; padding: 0 1.25rem; }
h1 { font-size: 1.6rem; font-weight: 600; margin: 0; }
table { border-collapse: collapse; width: 100%%; }
td { border-top: 1px solid #8884; padding: .25rem .75rem .25rem 0; }
td + td { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
</style>
</head>
<body>
<h1>%s</h1>
`

// policy forbids a page made here to load or run anything.
const policy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// ErrorPage answers with a status code and a small HTML page that says sentence in plain words. Header fields that
// describe a file are taken away; the others that the caller has set stay.
func ErrorPage(w http.ResponseWriter, r *http.Request, code int, sentence string) {
	title := http.StatusText(code)
	if title == "" {
		title = "Error"
	}
	title = html.EscapeString(strconv.Itoa(code) + " " + title)
	page := fmt.Sprintf(pageHead, title, title) + "<p>" + html.EscapeString(sentence) + "</p>\n</body>\n</html>\n"
	for _, field := range []string{"Etag", "Last-Modified", "Content-Encoding", "Cache-Control", "Accept-Ranges"} {
		w.Header().Del(field)
	}
	writePage(w, r, code, page)
}

func writePage(w http.ResponseWriter, r *http.Request, code int, page string) {
	header := w.Header()
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Content-Length", strconv.Itoa(len(page)))
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Content-Security-Policy", policy)
	w.WriteHeader(code)
	if r.Method != http.MethodHead {
		_, _ = w.Write([]byte(page)) // a client that has gone is no error of ours
	}
}
