package records

// Count is the place of a number in a [Report].
type Count int

// What is counted, in the order of its declaration.
const (
	Resources Count = iota
	Spans
	AddressKept
	AddressPipeline
	AddressPodIP
	AddressPod
	AddressConnection
	AddressUnknown
	AddressContradicted
	Refused
	KindsCleared
	ResourcesCreated
	AddressesNormalised
	AddressesRepaired
	PeersRenamed
	SpansMoved
	SpansFar
	SpansSenseless
	NamesCut
	TextsMended
	RequestsSplit
	counts
)

// Report counts what the filter met in one request.
type Report [counts]uint32

// Level is the urgency of a [Notice].
type Level byte

// The levels, in the order of their declaration.
const (
	Info Level = iota
	Warning
	Error
	levels
)

// Notice is a message that somebody has to see.
type Notice struct {
	// Level is how urgent it is.
	Level Level
	// Key names the kind of event.
	Key string
	// Message is for people.
	Message string
}

// Answer is what a client gets whose request is not sent on.
type Answer struct {
	// Status is that of HTTP.
	Status uint16
	// Body is a google.rpc.Status where the status is none of success.
	Body []byte
	// Notice is for the operator.
	Notice *Notice
}

// Edit says to remove so many bytes of the original body at an offset, and to put the next ones of those inserted there.
type Edit struct{ Offset, Remove, Insert uint32 }

// Content is what becomes of a body.
type Content byte

// The cases, in the order of their declaration.
const (
	Unchanged Content = iota
	Edited
	Replaced
	contents
)

// Prepared is the verdict on a request. Its bytes are views of what was decoded; it can be decoded into again.
type Prepared struct {
	// Answer is there where the request is not to be sent on.
	Answer *Answer
	// Content is what to send on otherwise.
	Content Content
	// Edits are those of a body that is edited, by offset.
	Edits []Edit
	// Inserted has the bytes of all edits, in order.
	Inserted []byte
	// Body is the one in place of a body that is replaced.
	Body []byte
	// Report counts what was met.
	Report Report
	// Notices are for the operator.
	Notices []Notice
}

// Decode reads the result of a call.
func (p *Prepared) Decode(from []byte) error {
	*p = Prepared{Edits: p.Edits[:0], Notices: p.Notices[:0]}
	r := reader{rest: from}
	if r.tag(2) == 0 {
		p.outbound(&r)
	} else {
		p.Answer = readAnswer(&r)
	}
	for place := range p.Report {
		p.Report[place] = r.u32()
	}
	for range r.count(9) {
		p.Notices = append(p.Notices, readNotice(&r))
	}
	return r.finish()
}

// outbound reads what is sent on. Where it goes is the Collector's own business.
func (p *Prepared) outbound(r *reader) {
	skipUpstream(r)
	for range r.count(12) {
		skipUpstream(r)
	}
	switch p.Content = Content(r.tag(byte(contents))); p.Content {
	case Unchanged:
	case Edited:
		for range r.count(12) {
			p.Edits = append(p.Edits, Edit{r.u32(), r.u32(), r.u32()})
		}
		p.Inserted = r.view()
	case Replaced:
		p.Body = r.view()
	}
	for range r.count(12) {
		r.take(12) // A part: the Collector's batch processor decides how large requests are.
	}
	r.tag(3)
}

// skipUpstream passes over a URL, headers and a timeout.
func skipUpstream(r *reader) {
	r.view()
	skipHeaders(r)
	r.u32()
}

func skipHeaders(r *reader) {
	for range r.count(8) {
		r.view()
		r.view()
	}
}

func readAnswer(r *reader) *Answer {
	answer := &Answer{Status: r.u16()}
	skipHeaders(r)
	answer.Body = r.view()
	if r.tag(2) == 1 {
		notice := readNotice(r)
		answer.Notice = &notice
	}
	return answer
}

func readNotice(r *reader) Notice {
	return Notice{Level(r.tag(byte(levels))), r.text(), r.text()}
}
