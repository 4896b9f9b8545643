package static

import (
	"fmt"
	"strconv"
	"strings"
)

// byteRanges spells a Range field for http.ServeContent, which knows the unit in lower case alone, fails on numbers of
// more than 63 bits (RFC 9110 section 14.1.1 tells to expect them), and takes "-0" for a range. Ranges that are not
// satisfiable are left out; where no other is there, the result asks for what is past the end, which gets 416.
//
// The result is "" for a field to be ignored: of another unit, as section 14.2 demands, of more ranges than most, or
// of a file that has nothing to take a part of. One that is malformed stays so, and gets 416 as well.
func byteRanges(field string, size int64, most int) string {
	const malformed = "bytes=?"
	unit, set, ok := strings.Cut(field, "=")
	if !ok || !strings.EqualFold(strings.TrimSpace(unit), "bytes") || size == 0 {
		return ""
	}
	var satisfiable []string
	n := 0
	for spec := range strings.SplitSeq(set, ",") {
		spec = strings.Trim(spec, " \t")
		if spec == "" { // lists may have empty elements (section 5.6.1.2)
			continue
		}
		if n++; n > most {
			return ""
		}
		first, last, ok := strings.Cut(spec, "-")
		if !ok || strings.Trim(first+last, "0123456789") != "" || first+last == "" {
			return malformed
		}
		// Of a number that is too large this gives the largest that there is.
		from, _ := strconv.ParseInt(first, 10, 64)
		to, _ := strconv.ParseInt(last, 10, 64)
		switch {
		case first == "" && to > 0:
			satisfiable = append(satisfiable, fmt.Sprintf("-%d", to))
		case last == "" && first != "" && from < size:
			satisfiable = append(satisfiable, fmt.Sprintf("%d-", from))
		case last != "" && first != "" && from > to:
			return malformed
		case last != "" && first != "" && from < size:
			satisfiable = append(satisfiable, fmt.Sprintf("%d-%d", from, to))
		}
	}
	switch {
	case n == 0:
		return ""
	case satisfiable == nil:
		return fmt.Sprintf("bytes=%d-", size)
	}
	return "bytes=" + strings.Join(satisfiable, ",")
}
