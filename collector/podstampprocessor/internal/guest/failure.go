package guest

import "fmt"

// Kind is why a call gave no answer, by the name that podstamp_filter_failures has for it.
type Kind string

// The kinds.
const (
	Trap          Kind = "trap"
	Timeout       Kind = "timeout"
	MemoryLimit   Kind = "memory_limit"
	InvalidAnswer Kind = "invalid_answer"
	Busy          Kind = "busy"
)

// Failure is a call that gave no answer.
type Failure struct {
	// Kind is why.
	Kind Kind
	// Call is the function that was called.
	Call string
	// Err is what the runtime says.
	Err error
}

// Error says what happened, and what to do about it.
func (f *Failure) Error() string {
	switch f.Kind {
	case Timeout:
		return fmt.Sprintf("the filter took too long in %s: raise timeout", f.Call)
	case MemoryLimit:
		return fmt.Sprintf("the filter needs more memory in %s: raise memory_limit_mib, or let smaller batches come", f.Call)
	case Busy:
		return "all instances of the filter are busy: raise instances"
	case InvalidAnswer:
		return fmt.Sprintf("the filter failed in %s, which is a fault in it: %v", f.Call, f.Err)
	default:
		return fmt.Sprintf("the filter trapped in %s, which is a fault in it: %v", f.Call, f.Err)
	}
}

// Unwrap is what the runtime says.
func (f *Failure) Unwrap() error { return f.Err }

// failed tells why a call failed. A module that gets no memory aborts, which is a trap like any other; it asks for as much again as
// it has when a list has to grow.
func (i *Instance) failed(call string, err error) *Failure {
	i.dead = true
	kind := Trap
	switch {
	case i.clock.Err() != nil:
		kind = Timeout
	case i.Memory() > i.limits.Memory/2:
		kind = MemoryLimit
	}
	return &Failure{kind, call, err}
}
