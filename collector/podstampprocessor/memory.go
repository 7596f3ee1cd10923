package podstampprocessor

import (
	"slices"
	"sync"

	"github.com/podstamp/podstamp/collector/podstampprocessor/internal/guest"
	"github.com/podstamp/podstamp/collector/podstampprocessor/internal/records"
)

// memory keeps what was decided of Resources, since the same ones come again with each batch: a Resource from the same sender, with the
// same pods, comes out the same. Only where an address has changed its pod does it matter when spans ended, and such are not kept.
type memory struct {
	lock sync.RWMutex
	// pods are those with which all of it was decided.
	pods guest.State
	// Where the young ones become too many they are the old ones, and those are forgotten that nobody asked for meanwhile.
	young, old map[string]decided
	bytes      int
}

// decided is what becomes of a Resource, and what the filter counted.
type decided struct {
	change *change
	counts []count
}

type count struct {
	of  records.Count
	met uint32
}

const (
	// maxRemembered is in bytes of Resources; twice as many are kept at most.
	maxRemembered = 8 << 20
	// maxNew is how many Resources of one batch are asked about one by one, so that each can be remembered by itself. The others
	// are asked about together, which takes less time.
	maxNew = 8
	// entrySize is about what an entry takes beside its key.
	entrySize = 256
)

// about begins anew where the pods are others.
func (m *memory) about(pods guest.State) {
	m.lock.RLock()
	same := m.pods == pods
	m.lock.RUnlock()
	if same {
		return
	}
	m.lock.Lock()
	defer m.lock.Unlock()
	m.pods, m.young, m.old, m.bytes = pods, nil, nil, 0
}

func (m *memory) find(pods guest.State, key []byte) (decided, bool) {
	m.lock.RLock()
	if m.pods != pods {
		m.lock.RUnlock()
		return decided{}, false
	}
	found, isYoung := m.young[string(key)]
	isOld := false
	if !isYoung {
		found, isOld = m.old[string(key)]
	}
	m.lock.RUnlock()
	if isOld {
		m.keep(pods, key, found)
	}
	return found, isYoung || isOld
}

func (m *memory) keep(pods guest.State, key []byte, what decided) {
	m.lock.Lock()
	defer m.lock.Unlock()
	if m.pods != pods {
		return
	}
	if m.young == nil || m.bytes > maxRemembered {
		m.young, m.old, m.bytes = map[string]decided{}, m.young, 0
	}
	m.bytes += len(key) + entrySize
	m.young[string(key)] = what
}

// remembered says what becomes of each resource of a batch; nil stands for no change. The filter is asked about those that are not
// remembered.
func (d *decision) remembered(list []outline) ([]*change, error) {
	pods := d.filter.pool.State()
	if pods.HasPods() && len(d.filter.config.lookups()) > 1 {
		return d.together(list)
	}
	d.filter.memory.about(pods)
	changes := make([]*change, len(list))
	key := d.sender()
	sender := len(key)
	var others []int
	asked := 0
	for place, entry := range list {
		key = append(key[:sender], entry.resource...)
		if entry.spans.kind != 0 {
			others = append(others, place)
			continue
		}
		if known, ok := d.filter.memory.find(pods, key); ok {
			changes[place] = known.change
			for _, count := range known.counts {
				d.report[count.of] += count.met
			}
			continue
		}
		if asked++; asked > maxNew {
			others = append(others, place)
			continue
		}
		change, err := d.learn(pods, key, entry)
		if err != nil {
			return nil, err
		}
		changes[place] = change
	}
	if len(others) == 0 {
		return changes, nil
	}
	asking := make([]outline, len(others))
	for number, place := range others {
		asking[number] = list[place]
	}
	made, err := d.together(asking)
	if err != nil {
		return nil, err
	}
	for number, place := range others {
		changes[place] = made[number]
	}
	return changes, nil
}

// learn asks the filter about one Resource, and remembers what it says if that holds for the next one as well.
func (d *decision) learn(pods guest.State, key []byte, entry outline) (*change, error) {
	if !pods.HasPods() {
		what, change, err := d.alone(pods, entry)
		if what != nil {
			d.filter.memory.keep(pods, key, *what)
		}
		return change, err
	}
	// docs/abi.md: if it comes out the same whether its spans ended long ago or it has none, it always does.
	before := d.report
	early, _, err := d.alone(pods, entry.with(witness{any: true, end: 1}))
	if err != nil {
		return nil, err
	}
	d.report = before
	late, change, err := d.alone(pods, entry.with(witness{}))
	if err != nil {
		return nil, err
	}
	if early != nil && late != nil && early.equal(late) {
		d.filter.memory.keep(pods, key, *late)
		return change, nil
	}
	d.report = before
	_, change, err = d.alone(pods, entry)
	return change, err
}

// alone asks the filter about one Resource. What it decides is nil where that does not hold for the next one.
func (d *decision) alone(pods guest.State, entry outline) (*decided, *change, error) {
	before := d.report
	var what *decided
	var made *change
	body := entry.put(nil)
	err := d.ask(body, func(prepared *records.Prepared) error {
		changes, err := changesOf([]outline{entry}, body, prepared)
		if err != nil {
			return err
		}
		made = changes[0]
		if len(prepared.Notices) == 0 && d.pods == pods {
			what = &decided{change: made}
		}
		return nil
	})
	if what == nil || err != nil {
		return nil, made, err
	}
	for place := range d.report {
		met := d.report[place] - before[place]
		if met > 0 && records.Count(place) != records.Spans {
			what.counts = append(what.counts, count{records.Count(place), met})
		}
	}
	return what, made, nil
}

func (d *decided) equal(other *decided) bool {
	if !slices.Equal(d.counts, other.counts) || (d.change == nil) != (other.change == nil) {
		return false
	}
	// Another Resource in place of one is rare: it is not compared.
	return d.change == nil ||
		d.change.other == nil && other.change.other == nil && slices.Equal(d.change.added, other.change.added)
}

// together asks the filter about several Resources in one call.
func (d *decision) together(list []outline) ([]*change, error) {
	var body []byte
	for _, entry := range list {
		body = entry.put(body)
	}
	changes := make([]*change, len(list))
	err := d.ask(body, func(prepared *records.Prepared) (err error) {
		changes, err = changesOf(list, body, prepared)
		return err
	})
	return changes, err
}

// sender is the part of a key that stands for all but the Resource: signal, address and headers.
func (d *decision) sender() []byte {
	// The request without its body, as the filter would get it.
	bare := d.request
	bare.Body = nil
	key := make([]byte, bare.Size(), bare.Size()+1024)
	bare.Put(key)
	return key
}
