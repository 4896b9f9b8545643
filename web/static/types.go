package static

import (
	"path"
	"strings"
)

// types is the table of media types by the end of a file's name. It is our own, so that a site is served alike on
// every machine, whatever its /etc/mime.types says. Text is UTF-8; JSON always is, and has no charset (RFC 8259
// section 11); XML says its own encoding.
const types = `
.html text/html; charset=utf-8
.htm text/html; charset=utf-8
.xhtml application/xhtml+xml; charset=utf-8
.css text/css; charset=utf-8
.js text/javascript; charset=utf-8
.mjs text/javascript; charset=utf-8
.txt text/plain; charset=utf-8
.md text/markdown; charset=utf-8
.csv text/csv; charset=utf-8
.tsv text/tab-separated-values; charset=utf-8
.ics text/calendar; charset=utf-8
.vcf text/vcard; charset=utf-8
.vtt text/vtt; charset=utf-8
.json application/json
.map application/json
.jsonld application/ld+json
.geojson application/geo+json
.webmanifest application/manifest+json
.xml application/xml
.xsl application/xml
.rss application/rss+xml
.atom application/atom+xml
.wasm application/wasm
.pdf application/pdf
.rtf application/rtf
.epub application/epub+zip
.torrent application/x-bittorrent
.odt application/vnd.oasis.opendocument.text
.ods application/vnd.oasis.opendocument.spreadsheet
.odp application/vnd.oasis.opendocument.presentation
.doc application/msword
.docx application/vnd.openxmlformats-officedocument.wordprocessingml.document
.xls application/vnd.ms-excel
.xlsx application/vnd.openxmlformats-officedocument.spreadsheetml.sheet
.ppt application/vnd.ms-powerpoint
.pptx application/vnd.openxmlformats-officedocument.presentationml.presentation
.zip application/zip
.gz application/gzip
.tgz application/gzip
.bz2 application/x-bzip2
.xz application/x-xz
.zst application/zstd
.7z application/x-7z-compressed
.tar application/x-tar
.jar application/java-archive
.deb application/vnd.debian.binary-package
.rpm application/octet-stream
.iso application/octet-stream
.img application/octet-stream
.exe application/octet-stream
.dmg application/octet-stream
.apk application/vnd.android.package-archive
.bin application/octet-stream
.png image/png
.gif image/gif
.jpg image/jpeg
.jpeg image/jpeg
.webp image/webp
.avif image/avif
.jxl image/jxl
.bmp image/bmp
.tif image/tiff
.tiff image/tiff
.svg image/svg+xml
.ico image/vnd.microsoft.icon
.mp3 audio/mpeg
.m4a audio/mp4
.ogg audio/ogg
.oga audio/ogg
.opus audio/ogg
.wav audio/wav
.flac audio/flac
.aac audio/aac
.mp4 video/mp4
.m4v video/mp4
.webm video/webm
.ogv video/ogg
.mov video/quicktime
.mkv video/matroska
.woff font/woff
.woff2 font/woff2
.ttf font/ttf
.otf font/otf
`

// typeByName returns the media type for a file's name, "" when the name does not tell.
func typeByName(name string) string {
	ext := strings.ToLower(path.Ext(name))
	if ext == "" || strings.ContainsAny(ext, " \n") {
		return ""
	}
	_, found, _ := strings.Cut(types, "\n"+ext+" ")
	mediaType, _, _ := strings.Cut(found, "\n")
	return mediaType
}
