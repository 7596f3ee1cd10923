// Package guesttest writes small modules with podstamp's ABI that misbehave on request, for tests.
package guesttest

import (
	"encoding/binary"

	"github.com/podstamp/podstamp/collector/podstampprocessor/internal/records"
)

// Fault is what a module does to a request that has a peer. One without a peer it lets pass unchanged.
type Fault []byte

// Faults, as code of a function that gives an i64.
var (
	// Trap fails at once.
	Trap = Fault{0x00}
	// Spin never comes to an end.
	Spin = Fault{0x03, 0x40, 0x0c, 0x00, 0x0b, 0x00}
	// Grow takes memory until it gets none, and fails then.
	Grow = Fault{0x03, 0x40, 0x41, 0x10, 0x40, 0x00, 0x41, 0x7f, 0x46, 0x04, 0x40, 0x00, 0x0b, 0x0c, 0x00, 0x0b, 0x00}
	// Swell takes 5 MiB and lets the request pass.
	Swell = append(append(Fault{0x41}, signed(80)...), append(Fault{0x40, 0x00, 0x1a}, result(preparedAt, len(unchanged))...)...)
	// Outside gives a place that its memory does not have.
	Outside = result(0xfffffff0, 64)
	// Garbage gives what is no answer.
	Garbage = result(preparedAt, 5)
)

// Module writes a module with a fault, whose ABI has a version.
func Module(version byte, fault Fault) []byte {
	settings := settings("content-type", "x-forwarded-for")
	prepare := []byte{0x20, 0x00, 0x2d, 0x00, 15, 0x04, 0x7e} // Is there a peer, behind signal and path of traces?
	prepare = append(append(append(prepare, fault...), 0x05), result(preparedAt, len(unchanged))...)
	prepare = append(prepare, 0x0b)
	// A text of pods that begins with "t" is a trap.
	pods := append([]byte{0x20, 0x00, 0x2d, 0x00, 0, 0x41, 0xf4, 0x00, 0x46, 0x04, 0x40, 0x00, 0x0b}, result(podsAt, len(podsState))...)
	functions := []struct {
		name string
		kind byte
		code []byte
	}{
		{"podstamp_abi", 0, []byte{0x41, version}},
		{"podstamp_allocate", 1, append([]byte{0x41}, signed(room)...)},
		{"podstamp_free", 2, nil},
		{"podstamp_configure", 3, result(settingsAt, len(settings))},
		{"podstamp_pods", 3, pods},
		{"podstamp_prepare", 3, prepare},
	}
	kinds, codes := []byte{byte(len(functions))}, []byte{byte(len(functions))}
	exports := append([]byte{byte(len(functions) + 1)}, export("memory", 2, 0)...)
	for number, function := range functions {
		kinds = append(kinds, function.kind)
		exports = append(exports, export(function.name, 0, byte(number))...)
		body := append(append([]byte{0}, function.code...), 0x0b)
		codes = append(append(codes, unsigned(len(body))...), body...)
	}
	data := []byte{3}
	for _, segment := range []struct {
		at    int
		bytes []byte
	}{{settingsAt, settings}, {podsAt, podsState}, {preparedAt, unchanged}} {
		data = append(append(append(data, 0, 0x41), signed(int64(segment.at))...), 0x0b)
		data = append(append(data, unsigned(len(segment.bytes))...), segment.bytes...)
	}
	module := []byte("\x00asm\x01\x00\x00\x00")
	module = section(module, 1, []byte{4,
		0x60, 0, 1, 0x7f, // () -> i32
		0x60, 1, 0x7f, 1, 0x7f, // (i32) -> i32
		0x60, 2, 0x7f, 0x7f, 0, // (i32, i32)
		0x60, 2, 0x7f, 0x7f, 1, 0x7e, // (i32, i32) -> i64
	})
	module = section(module, 3, kinds)
	module = section(module, 5, []byte{1, 0, 4})
	module = section(module, 7, exports)
	module = section(module, 10, codes)
	return section(module, 11, data)
}

// Places in the memory. Each argument is written to the same one.
const (
	settingsAt = 64
	podsAt     = 512
	preparedAt = 1024
	room       = 64 << 10
)

var (
	// podsState is 2 pods of version 7.1.
	podsState = append([]byte{0, 2, 0, 0, 0}, text("7.1")...)
	// unchanged sends a request on as it is: no URL, no headers, no timeout, no copies, unchanged, no parts, protobuf, nothing
	// counted but one resource, no notices.
	unchanged = func() []byte {
		prepared := make([]byte, 1+4+4+4+4+1+4+1+len(records.Report{})*4+4)
		prepared[1+4+4+4+4+1+4+1] = 1
		return prepared
	}()
)

func settings(headers ...string) []byte {
	out := append([]byte{0}, little(len(headers))...)
	for _, header := range headers {
		out = append(out, text(header)...)
	}
	out = append(out, little(0)...)
	return append(out, text("/pods?fields=uid")...)
}

func text(text string) []byte { return append(little(len(text)), text...) }

func little(number int) []byte { return binary.LittleEndian.AppendUint32(nil, uint32(number)) }

// result is an i64 constant: where a result is, and how long.
func result(at uint32, length int) []byte {
	return append([]byte{0x42}, signed(int64(uint64(at)<<32|uint64(length)))...)
}

func export(name string, kind, index byte) []byte {
	return append(append([]byte{byte(len(name))}, name...), kind, index)
}

func section(module []byte, id byte, content []byte) []byte {
	return append(append(append(module, id), unsigned(len(content))...), content...)
}

func unsigned(number int) []byte { return binary.AppendUvarint(nil, uint64(number)) }

// signed is a number in signed LEB128.
func signed(number int64) []byte {
	var out []byte
	for {
		low := byte(number & 0x7f)
		number >>= 7
		if number == 0 && low&0x40 == 0 || number == -1 && low&0x40 != 0 {
			return append(out, low)
		}
		out = append(out, low|0x80)
	}
}
