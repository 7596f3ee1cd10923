// Package pods follows the pods of a podstamp: all of them first, and then what has changed.
package pods

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/podstamp/podstamp/collector/podstampprocessor/internal/records"
)

// Table takes the texts that come.
type Table interface {
	// Feed takes a text of all pods, or of what has changed. The error is a [records.PodsFault] where the text is at fault.
	Feed(ctx context.Context, text []byte, all bool) (records.PodsState, error)
	// WantsAll says to ask for all pods once more.
	WantsAll() bool
}

// Observer hears what happens.
type Observer interface {
	// Loaded says that all pods have come; again says that it was not the first time.
	Loaded(pods uint32, again bool)
	// Changed says that so many pods have changed.
	Changed(pods int)
	// Failed says that no pods could be had.
	Failed(missing *Missing)
}

// Source is a podstamp whose pods are followed.
type Source struct {
	// Client asks.
	Client *http.Client
	// URL asks for all pods.
	URL string
	// Wait is how long a question waits there for changes.
	Wait time.Duration
	// Interval is the least time between two questions.
	Interval time.Duration
	// Table takes the pods.
	Table Table
	// Observer hears what happens.
	Observer Observer

	version   string
	last      []byte
	pods      atomic.Int64
	heard     atomic.Int64
	loaded    atomic.Bool
	connected atomic.Bool
}

// Follow asks until the context is done. The pods from before stay in use where none can be had.
func (s *Source) Follow(ctx context.Context) {
	s.heard.Store(time.Now().UnixNano())
	waits := backoff{}
	for ctx.Err() == nil {
		begun := time.Now()
		missing := s.ask(ctx)
		if ctx.Err() != nil {
			return
		}
		var pause time.Duration
		if missing == nil {
			waits.reset()
			pause = max(s.least()-time.Since(begun), 0)
		} else {
			s.connected.Store(false)
			s.Observer.Failed(missing)
			pause = waits.next(missing.After)
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
	}
}

// least is the time from one question to the next.
func (s *Source) least() time.Duration {
	if s.version == "" || s.Wait == 0 {
		// All pods come each time, or nobody waits for a change.
		return max(s.Interval, withoutWait)
	}
	return s.Interval
}

// withoutWait is how often to ask where a question does not wait for changes.
const withoutWait = 10 * time.Second

// ask asks once, and takes what comes. Where that is at fault, all pods are asked for next.
func (s *Source) ask(ctx context.Context) *Missing {
	if s.Table.WantsAll() {
		s.version = ""
	}
	url := s.URL
	// After a failure the question is answered at once, so that it is known whether the other one is back.
	wait := time.Duration(0)
	if s.connected.Load() {
		wait = s.Wait
	}
	if s.version != "" {
		url += fmt.Sprintf("&since=%s&wait=%d", s.version, int(wait.Seconds()))
	}
	text, missing := s.get(ctx, url, wait)
	if missing != nil {
		return missing
	}
	header, err := readHeader(text)
	if err != nil {
		s.version = ""
		return invalid(err)
	}
	if missing := s.take(ctx, text, header); missing != nil {
		return missing
	}
	s.heard.Store(time.Now().UnixNano())
	s.connected.Store(true)
	return nil
}

// take hands a text to the table, unless it says nothing new.
func (s *Source) take(ctx context.Context, text []byte, header header) *Missing {
	if header.isNothing(s.version) || header.all && header.version == "" && string(text) == string(s.last) {
		return nil
	}
	state, err := s.Table.Feed(ctx, text, header.all)
	if fault := records.PodsFault(""); errors.As(err, &fault) {
		s.version = ""
		return invalid(err)
	} else if err != nil {
		return &Missing{Reason: "filter", Message: fmt.Sprintf("the filter did not read what came: %v", err)}
	}
	s.version, s.last = state.Version, nil
	if state.Version == "" {
		s.last = text
	}
	s.pods.Store(int64(state.Pods))
	if header.all {
		s.Observer.Loaded(state.Pods, s.loaded.Swap(true))
	} else {
		s.Observer.Changed(header.lines)
	}
	return nil
}

func invalid(err error) *Missing {
	return &Missing{Reason: "invalid", Message: fmt.Sprintf("what it sends is no list of pods: %v", err)}
}

// Pods is how many there are.
func (s *Source) Pods() int64 { return s.pods.Load() }

// Age is how long ago the podstamp was heard; before that, for how long it has been asked.
func (s *Source) Age() time.Duration { return time.Since(time.Unix(0, s.heard.Load())) }

// Loaded says whether all pods have come.
func (s *Source) Loaded() bool { return s.loaded.Load() }

// Connected says whether changes come as they happen.
func (s *Source) Connected() bool { return s.connected.Load() }
