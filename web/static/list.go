package static

import (
	"cmp"
	"fmt"
	"html"
	"io/fs"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
)

// list answers with the names in a folder, folders first.
func (h *Handler) list(w http.ResponseWriter, r *http.Request, name string) {
	entries, err := h.tree.entries(name, h.opts.MaxListing)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	more := len(entries) > h.opts.MaxListing
	entries = entries[:min(len(entries), h.opts.MaxListing)]
	var infos []fs.FileInfo
	for _, entry := range entries {
		if !h.visible(append(below(name), entry.Name())) {
			continue
		}
		info, err := h.tree.stat(path.Join(name, entry.Name()))
		if err == nil && (info.IsDir() || info.Mode().IsRegular()) {
			infos = append(infos, info)
		}
	}
	slices.SortFunc(infos, func(a, b fs.FileInfo) int {
		if a.IsDir() != b.IsDir() {
			if a.IsDir() {
				return -1
			}
			return 1
		}
		return cmp.Compare(a.Name(), b.Name())
	})
	title := html.EscapeString(r.URL.Path)
	var page strings.Builder
	fmt.Fprintf(&page, pageHead, title, title)
	page.WriteString("<table>\n")
	if name != "." {
		page.WriteString("<tr><td><a href=\"../\">..</a></td><td></td><td></td></tr>\n")
	}
	for _, info := range infos {
		writeRow(&page, info)
	}
	page.WriteString("</table>\n")
	if more {
		fmt.Fprintf(&page, "<p>There is more here than the %d entries that a listing shows.</p>\n", h.opts.MaxListing)
	}
	page.WriteString("</body>\n</html>\n")
	writePage(w, r, http.StatusOK, page.String())
}

// below returns the names on the way to a folder.
func below(name string) []string {
	if name == "." {
		return nil
	}
	return strings.Split(name, "/")
}

func writeRow(page *strings.Builder, info fs.FileInfo) {
	name, size := info.Name(), bytesText(info.Size())
	if info.IsDir() {
		name, size = name+"/", ""
	}
	href := "./" + url.PathEscape(info.Name())
	if info.IsDir() {
		href += "/"
	}
	fmt.Fprintf(page, "<tr><td><a href=\"%s\">%s</a></td><td>%s</td><td>%s</td></tr>\n",
		html.EscapeString(href), html.EscapeString(name), size, info.ModTime().UTC().Format("2006-01-02 15:04"))
}

// bytesText gives a size in units of 1000, as disks are sold.
func bytesText(n int64) string {
	if n < 1000 {
		return fmt.Sprintf("%d B", n)
	}
	size, unit := float64(n), ""
	for _, unit = range []string{"kB", "MB", "GB", "TB"} {
		if size /= 1000; size < 999.5 {
			break
		}
	}
	return fmt.Sprintf("%.3g %s", size, unit)
}
