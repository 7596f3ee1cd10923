package records

import (
	"encoding/binary"
	"errors"
)

// ErrMalformed says that a result of the module is not of the type that it should be.
var ErrMalformed = errors.New("the module's answer cannot be decoded")

// reader takes values off the front of bytes. After the first value that is not there it gives zeros, and [reader.finish] an error.
type reader struct {
	rest   []byte
	failed bool
}

func (r *reader) take(length uint32) []byte {
	if r.failed || uint64(length) > uint64(len(r.rest)) {
		r.failed = true
		return nil
	}
	taken := r.rest[:length:length]
	r.rest = r.rest[length:]
	return taken
}

func (r *reader) u8() byte {
	if taken := r.take(1); taken != nil {
		return taken[0]
	}
	return 0
}

func (r *reader) u16() uint16 {
	if taken := r.take(2); taken != nil {
		return binary.LittleEndian.Uint16(taken)
	}
	return 0
}

func (r *reader) u32() uint32 {
	if taken := r.take(4); taken != nil {
		return binary.LittleEndian.Uint32(taken)
	}
	return 0
}

// tag reads the place of a case, of which there are so many.
func (r *reader) tag(cases byte) byte {
	tag := r.u8()
	if tag >= cases {
		r.failed = true
		return 0
	}
	return tag
}

// view is the bytes themselves, not a copy.
func (r *reader) view() []byte { return r.take(r.u32()) }

func (r *reader) text() string { return string(r.view()) }

// count reads how many items there are, each of which takes at least so many bytes: what cannot be there is not made room for.
func (r *reader) count(least int) int {
	count := r.u32()
	if uint64(count)*uint64(least) > uint64(len(r.rest)) {
		r.failed = true
		return 0
	}
	return int(count)
}

// finish is an error unless all has been there, and nothing more.
func (r *reader) finish() error {
	if r.failed || len(r.rest) > 0 {
		return ErrMalformed
	}
	return nil
}
