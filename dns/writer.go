package dns

import "fmt"

// Writer packs one message record by record, for whoever has more records than
// one message takes: a zone transfer. The zero Writer is ready for Start, again
// and again.
type Writer struct {
	p         packer
	header    Header
	questions int
	edns      *EDNS
}

// Start begins a message behind dst. What was not finished before is forgotten.
func (w *Writer) Start(dst []byte, h Header, questions []Question, edns *EDNS) error {
	*w = Writer{p: packer{dst: append(dst, make([]byte, HeaderLen)...), base: len(dst)}, header: h, questions: len(questions), edns: edns}
	for _, q := range questions {
		if err := w.p.question(q); err != nil {
			return fmt.Errorf("dns: pack message: %w", err)
		}
	}
	return nil
}

// Answer adds a record to the answer section, unless the message with it, and
// its OPT record, would have more than limit octets (65535 when limit is 0 or
// more than that). Then it says that it does not fit, and adds nothing.
func (w *Writer) Answer(rr RR, limit int) (fits bool, err error) {
	if limit <= 0 || limit > MaxMessageLen {
		limit = MaxMessageLen
	}
	w.p.limit = limit - w.edns.wireLen()
	start := len(w.p.dst)
	if err := w.p.record(rr); err != nil {
		return false, fmt.Errorf("dns: pack message: %w", err)
	}
	if w.p.size() > w.p.limit || w.p.counts.Answer == 1<<16-1 {
		w.p.dst = w.p.dst[:start]
		return false, nil
	}
	w.p.counts.Answer++
	return true, nil
}

// Answers counts the records so far.
func (w *Writer) Answers() int { return int(w.p.counts.Answer) }

// Finish ends the message and gives dst with it.
func (w *Writer) Finish() []byte {
	if w.edns != nil {
		w.p.dst = w.edns.append(w.p.dst, w.header.Rcode)
		w.p.counts.Additional++
		w.edns = nil
	}
	w.p.header(w.header, w.questions)
	return w.p.dst
}
