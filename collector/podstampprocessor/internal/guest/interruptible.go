package guest

import (
	"encoding/binary"
	"errors"
	"slices"
)

// interruptName is the export of the global that ends what runs.
const interruptName = "podstamp_interrupt"

// errUnknownCode is not met in what rustc writes.
var errUnknownCode = errors.New("the module has code that is not known here")

// interruptible has loops of a module count their turns, and once in a while leave the compiled code and look at a global that ends
// what runs. In compiled code Go can neither stop a goroutine nor collect garbage, so that nothing else in the process would run on.
// The runtime's own way leaves it in each turn, which takes five to ten times as long as all of the filter's work.
func interruptible(module []byte) ([]byte, error) {
	m := parser{rest: module}
	out := append([]byte(nil), m.bytes(8)...)
	global, hasGlobals := uint64(0), false
	for len(m.rest) > 0 && m.err == nil {
		id := m.byte()
		content := m.bytes(m.number())
		switch id {
		case sectionImport:
			// It imports nothing. Globals that were imported would be numbered first.
			return nil, errUnknownCode
		case sectionGlobal:
			hasGlobals = true
			s := parser{rest: content}
			global = s.number()
			content = append(binary.AppendUvarint(nil, global+2), append(s.rest, newGlobals...)...)
		case sectionExport:
			if !hasGlobals {
				out = appendSection(out, sectionGlobal, append([]byte{2}, newGlobals...))
			}
			s := parser{rest: content}
			added := append(binary.AppendUvarint(nil, s.number()+1), s.rest...)
			added = append(append(added, byte(len(interruptName))), interruptName...)
			content = binary.AppendUvarint(append(added, exportGlobal), global)
		case sectionCode:
			var err error
			if content, err = checkedCode(content, global); err != nil {
				return nil, err
			}
		}
		out = appendSection(out, id, content)
	}
	return out, m.err
}

// newGlobals are two mutable i32: whether to stop, and how many turns are left until that is looked at.
var newGlobals = append([]byte{0x7f, 0x01, 0x41, 0x00, 0x0b, 0x7f, 0x01}, append(turns, 0x0b)...)

// turns is i32.const 65536, some hundred microseconds.
var turns = []byte{0x41, 0x80, 0x80, 0x04}

// check is what each loop begins with.
func check(stop uint64) []byte {
	const get, set = 0x23, 0x24
	global := func(code byte, number uint64) []byte { return binary.AppendUvarint([]byte{code}, number) }
	left := stop + 1
	return slices.Concat(
		global(get, left), []byte{0x41, 0x01, 0x6b}, global(set, left), // One turn less is left.
		global(get, left), []byte{0x45, 0x04, 0x40}, // If none is:
		turns, global(set, left),
		[]byte{0x41, 0x00, 0x40, 0x00, 0x1a},              // Growing the memory by nothing leaves the compiled code.
		global(get, stop), []byte{0x04, 0x40, 0x00, 0x0b}, // If it is to stop, it traps.
		[]byte{0x0b},
	)
}

const (
	sectionImport = 2
	sectionGlobal = 6
	sectionExport = 7
	sectionCode   = 10
	exportGlobal  = 3
)

func appendSection(out []byte, id byte, content []byte) []byte {
	return append(binary.AppendUvarint(append(out, id), uint64(len(content))), content...)
}

// checkedCode adds the look at the global to all functions.
func checkedCode(section []byte, global uint64) ([]byte, error) {
	check := check(global)
	m := parser{rest: section}
	functions := m.number()
	out := binary.AppendUvarint(make([]byte, 0, len(section)*3/2), functions)
	var checked []byte
	for range functions {
		if m.err != nil {
			return nil, m.err
		}
		body := m.bytes(m.number())
		f := parser{rest: body}
		for groups := f.number(); groups > 0 && f.err == nil; groups-- { // Locals: how many, of which type.
			f.number()
			f.byte()
		}
		checked = append(checked[:0], body[:len(body)-len(f.rest)]...)
		for len(f.rest) > 0 && f.err == nil {
			before := f.rest
			isLoop := f.instruction()
			checked = append(checked, before[:len(before)-len(f.rest)]...)
			if isLoop {
				checked = append(checked, check...)
			}
		}
		if f.err != nil {
			return nil, f.err
		}
		out = append(binary.AppendUvarint(out, uint64(len(checked))), checked...)
	}
	return out, m.err
}

// parser goes through the bytes of a module. After the first fault it gives zeros.
type parser struct {
	rest []byte
	err  error
}

func (p *parser) bytes(length uint64) []byte {
	if p.err != nil || length > uint64(len(p.rest)) {
		p.err = errUnknownCode
		p.rest = nil
		return nil
	}
	taken := p.rest[:length:length]
	p.rest = p.rest[length:]
	return taken
}

func (p *parser) byte() byte {
	if taken := p.bytes(1); taken != nil {
		return taken[0]
	}
	return 0
}

// number reads LEB128. Where the sign matters, the value does not.
func (p *parser) number() uint64 {
	value := uint64(0)
	for shift := 0; ; shift += 7 {
		next := p.byte()
		value |= uint64(next&0x7f) << shift
		if next < 0x80 {
			return value
		}
	}
}

func (p *parser) numbers(count uint64) {
	for ; count > 0 && p.err == nil; count-- {
		p.number()
	}
}

// instruction passes over one, and says whether it begins a loop.
func (p *parser) instruction() bool {
	switch code := p.byte(); {
	case code == 0x03: // loop
		p.number()
		return true
	case code == 0x02, code == 0x04, code == 0x0c, code == 0x0d, code == 0x10: // block, if, br, br_if, call
		p.number()
	case code == 0x0e: // br_table
		p.numbers(p.number())
		p.number()
	case code == 0x11: // call_indirect
		p.numbers(2)
	case code == 0x1c: // select with types
		p.bytes(p.number())
	case code >= 0x20 && code <= 0x26: // Locals, globals, tables.
		p.number()
	case code >= 0x28 && code <= 0x3e: // Loads and stores.
		p.numbers(2)
	case code >= 0x3f && code <= 0x42, code == 0xd0, code == 0xd2: // memory.size, memory.grow, i32.const, i64.const, references
		p.number()
	case code == 0x43: // f32.const
		p.bytes(4)
	case code == 0x44: // f64.const
		p.bytes(8)
	case code == 0xfc:
		p.prefixed()
	case code == 0xfd:
		p.vector()
	case code <= 0x01, code == 0x05, code == 0x0b, code == 0x0f, code == 0x1a, code == 0x1b, code >= 0x45 && code <= 0xc4, code == 0xd1:
	default:
		// Among others return_call, with which there are loops without a loop.
		p.err = errUnknownCode
	}
	return false
}

// prefixed passes over saturating conversions, and over what works on whole parts of memories and tables.
func (p *parser) prefixed() {
	switch code := p.number(); {
	case code <= 7:
	case code == 8, code == 10, code == 12, code == 14:
		p.numbers(2)
	case code <= 17:
		p.number()
	default:
		p.err = errUnknownCode
	}
}

// vector passes over what works on 128 bits.
func (p *parser) vector() {
	switch code := p.number(); {
	case code <= 11, code == 92, code == 93: // Loads and stores.
		p.numbers(2)
	case code == 12, code == 13: // v128.const, i8x16.shuffle
		p.bytes(16)
	case code >= 21 && code <= 34: // Lanes.
		p.byte()
	case code >= 84 && code <= 91: // Loads and stores of lanes.
		p.numbers(2)
		p.byte()
	case code <= 255:
	default:
		p.err = errUnknownCode
	}
}
