package guest

import (
	"context"
	"time"

	"github.com/tetratelabs/wazero/api"
)

// deadline is a context that is over once it has been running for too long, made once for all calls of an instance. An instance
// whose time was up is not used again, and neither is this.
type deadline struct {
	over  chan struct{}
	timer *time.Timer
	// interrupt ends what runs, where the module has such a global; else the runtime listens to this context.
	interrupt api.MutableGlobal
}

func newDeadline() *deadline {
	d := &deadline{over: make(chan struct{})}
	d.timer = time.AfterFunc(time.Hour, d.end)
	d.timer.Stop()
	return d
}

func (d *deadline) end() {
	close(d.over)
	if d.interrupt != nil {
		d.interrupt.Set(1)
	}
}

func (d *deadline) start(limit time.Duration) { d.timer.Reset(limit) }

// stop says whether there was time left.
func (d *deadline) stop() bool { return d.timer.Stop() }

// Deadline is not known: only Done matters to the runtime.
func (d *deadline) Deadline() (time.Time, bool) { return time.Time{}, false }

// Done is closed once the time is up.
func (d *deadline) Done() <-chan struct{} { return d.over }

// Err is nil while there is time left.
func (d *deadline) Err() error {
	select {
	case <-d.over:
		return context.DeadlineExceeded
	default:
		return nil
	}
}

// Value is nil: nothing travels with it.
func (d *deadline) Value(any) any { return nil }
