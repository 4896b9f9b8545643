package socket

import (
	"unicode"
	"unicode/utf8"
)

// AppendUpper appends text in upper case to dst and returns the longer slice. Bytes that are not UTF-8 are appended
// unchanged. What is appended is at most 1.5 times as long as text.
func AppendUpper(dst, text []byte) []byte {
	for len(text) > 0 {
		b := text[0]
		if b < utf8.RuneSelf {
			if 'a' <= b && b <= 'z' {
				b -= 'a' - 'A'
			}
			dst = append(dst, b)
			text = text[1:]
			continue
		}
		r, size := utf8.DecodeRune(text)
		if r == utf8.RuneError && size == 1 {
			dst = append(dst, b)
		} else {
			dst = utf8.AppendRune(dst, unicode.ToUpper(r))
		}
		text = text[size:]
	}
	return dst
}

// caser puts a stream into upper case, in pieces cut anywhere. The zero value is the start of a stream.
type caser struct {
	kept [utf8.UTFMax]byte // the beginning of a character whose end has not come
	n    int
}

// append appends to dst the upper case of what was kept and of piece, and keeps an unfinished character at its end.
func (c *caser) append(dst, piece []byte) []byte {
	for c.n > 0 && len(piece) > 0 {
		c.kept[c.n] = piece[0]
		c.n++
		piece = piece[1:]
		if utf8.FullRune(c.kept[:c.n]) {
			dst = c.settle(dst)
		}
	}
	whole := len(piece) - unfinished(piece)
	dst = AppendUpper(dst, piece[:whole])
	if whole < len(piece) { // then nothing is kept from before
		c.n = copy(c.kept[:], piece[whole:])
	}
	return dst
}

// settle appends what is decided of the kept bytes: a whole character, or one byte that begins none, after which the
// rest may again be the beginning of one.
func (c *caser) settle(dst []byte) []byte {
	for c.n > 0 && utf8.FullRune(c.kept[:c.n]) {
		_, size := utf8.DecodeRune(c.kept[:c.n])
		dst = AppendUpper(dst, c.kept[:size])
		c.n = copy(c.kept[:], c.kept[size:c.n])
	}
	return dst
}

// end appends what is still kept: the stream ended within a character, so its bytes are not UTF-8.
func (c *caser) end(dst []byte) []byte {
	dst = append(dst, c.kept[:c.n]...)
	c.n = 0
	return dst
}

// unfinished is how many bytes at the end of text may be the beginning of a longer character: 0 to 3.
func unfinished(text []byte) int {
	for back := 1; back < utf8.UTFMax && back <= len(text); back++ {
		tail := text[len(text)-back:]
		if utf8.RuneStart(tail[0]) {
			if utf8.FullRune(tail) {
				return 0
			}
			return back
		}
	}
	return 0
}

// cutText shortens text to at most limit bytes, between two characters.
func cutText(text []byte, limit int) []byte {
	if len(text) <= limit {
		return text
	}
	end := limit
	for end > limit-utf8.UTFMax && end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	if !utf8.RuneStart(text[end]) { // not UTF-8 here: any byte will do
		end = limit
	}
	return text[:end]
}
