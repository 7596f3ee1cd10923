package records

import "strings"

// Settings are what a host has to know once the filter is configured.
type Settings struct {
	// RequestHeaders are the names of the headers that the filter reads.
	RequestHeaders []string
	// Notices are what a person should know about the configuration.
	Notices []Notice
	// PodsPath asks a podstamp for pods; empty where none are needed.
	PodsPath string
}

// Fault is one fault of the configuration.
type Fault struct {
	// Path is where it is.
	Path string
	// Message is what is wrong, and what to do.
	Message string
}

// Faults are all faults of a configuration.
type Faults []Fault

// Error has a line for each fault.
func (f Faults) Error() string {
	lines := make([]string, len(f))
	for place, fault := range f {
		lines[place] = fault.Path + ": " + fault.Message
		if fault.Path == "" {
			lines[place] = fault.Message
		}
	}
	return strings.Join(lines, "\n")
}

// DecodeSettings reads what configuring gives: settings, or [Faults], or [ErrMalformed].
func DecodeSettings(from []byte) (*Settings, error) {
	r := reader{rest: from}
	if r.tag(2) == 1 {
		var faults Faults
		for range r.count(8) {
			faults = append(faults, Fault{r.text(), r.text()})
		}
		if err := r.finish(); err != nil {
			return nil, err
		}
		return nil, faults
	}
	var settings Settings
	for range r.count(4) {
		settings.RequestHeaders = append(settings.RequestHeaders, r.text())
	}
	for range r.count(9) {
		settings.Notices = append(settings.Notices, readNotice(&r))
	}
	settings.PodsPath = r.text()
	return &settings, r.finish()
}

// PodsState is what the module has after a text of pods.
type PodsState struct {
	// Pods is how many there are.
	Pods uint32
	// Version is the one to ask for changes since; empty: ask for all.
	Version string
}

// PodsFault says what is wrong with a text of pods.
type PodsFault string

// Error is the fault itself.
func (f PodsFault) Error() string { return string(f) }

// DecodePodsState reads what a text of pods gives: the state, or a [PodsFault], or [ErrMalformed].
func DecodePodsState(from []byte) (PodsState, error) {
	r := reader{rest: from}
	if r.tag(2) == 1 {
		fault := PodsFault(r.text())
		if err := r.finish(); err != nil {
			return PodsState{}, err
		}
		return PodsState{}, fault
	}
	state := PodsState{r.u32(), r.text()}
	return state, r.finish()
}
