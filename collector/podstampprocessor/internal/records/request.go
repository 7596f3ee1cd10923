// Package records writes and reads what passes between a host and podstamp's module: the types of wit/ in the form that
// docs/abi.md describes.
package records

import "encoding/binary"

// Signal is what a request carries.
type Signal byte

// The signals, in the order of their declaration.
const (
	Traces Signal = iota
	Metrics
	Logs
)

// String is the signal's name.
func (s Signal) String() string { return [...]string{"traces", "metrics", "logs"}[s] }

// Path is where OTLP/HTTP takes the signal.
func (s Signal) Path() string { return [...]string{"/v1/traces", "/v1/metrics", "/v1/logs"}[s] }

// Header is one HTTP header.
type Header struct {
	// Name is in lower case.
	Name string
	// Value is as it came.
	Value string
}

// Request is an export request.
type Request struct {
	// Signal is what the body carries.
	Signal Signal
	// Peer is the address that it came from, without a port; empty where that is not known.
	Peer string
	// Headers are those that the filter reads.
	Headers []Header
	// Body is the request in protobuf.
	Body []byte
	// Now is nanoseconds since 1970; 0 turns rules about time off.
	Now uint64
}

// Size is how many bytes [Request.Put] writes.
func (r *Request) Size() int {
	size := 1 + 4 + len(r.Signal.Path()) + 1 + 4 + 4 + len(r.Body) + 1
	if r.Peer != "" {
		size += 4 + len(r.Peer)
	}
	for _, header := range r.Headers {
		size += 4 + len(header.Name) + 4 + len(header.Value)
	}
	if r.Now != 0 {
		size += 8
	}
	return size
}

// Put writes the request into a buffer of its size.
func (r *Request) Put(into []byte) {
	out := append(into[:0], byte(r.Signal))
	out = putText(out, r.Signal.Path())
	if r.Peer == "" {
		out = append(out, 0)
	} else {
		out = putText(append(out, 1), r.Peer)
	}
	out = binary.LittleEndian.AppendUint32(out, uint32(len(r.Headers)))
	for _, header := range r.Headers {
		out = putText(putText(out, header.Name), header.Value)
	}
	out = binary.LittleEndian.AppendUint32(out, uint32(len(r.Body)))
	out = append(out, r.Body...)
	if r.Now == 0 {
		_ = append(out, 0)
		return
	}
	_ = binary.LittleEndian.AppendUint64(append(out, 1), r.Now)
}

func putText(out []byte, text string) []byte {
	return append(binary.LittleEndian.AppendUint32(out, uint32(len(text))), text...)
}
