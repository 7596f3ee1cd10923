package podstampprocessor

import (
	"sync"

	"github.com/podstamp/podstamp/collector/podstampprocessor/internal/records"
)

// memory keeps what was decided of Resources, since the same ones come again with each batch. It is only for a filter that has no
// pods: all that decides there is the Resource and who sent it. With pods it also counts when spans ended, and which pods there are.
type memory struct {
	lock sync.RWMutex
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
)

func (m *memory) find(key []byte) (decided, bool) {
	m.lock.RLock()
	found, ok := m.young[string(key)]
	if ok {
		m.lock.RUnlock()
		return found, true
	}
	found, ok = m.old[string(key)]
	m.lock.RUnlock()
	if ok {
		m.keep(key, found)
	}
	return found, ok
}

func (m *memory) keep(key []byte, what decided) {
	m.lock.Lock()
	defer m.lock.Unlock()
	if m.young == nil || m.bytes > maxRemembered {
		m.young, m.old, m.bytes = map[string]decided{}, m.young, 0
	}
	m.bytes += len(key) + entrySize
	m.young[string(key)] = what
}

// entrySize is about what an entry takes beside its key.
const entrySize = 256

// remembered asks the filter only about Resources that are not remembered.
func (d *decision) remembered(list []outline) ([]*change, error) {
	changes := make([]*change, len(list))
	key := d.sender()
	sender := len(key)
	var others []int
	var missing []byte
	asked := 0
	for place, entry := range list {
		key = append(key[:sender], entry.resource...)
		if known, ok := d.filter.memory.find(key); ok && !entry.isStrange {
			changes[place] = known.change
			for _, count := range known.counts {
				d.report[count.of] += count.met
			}
			continue
		}
		if asked == maxNew || entry.isStrange {
			others, missing = append(others, place), append(missing, entry.whole...)
			continue
		}
		asked++
		change, err := d.learn(key, entry)
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
	made, err := d.decided(asking, missing)
	if err != nil {
		return nil, err
	}
	for number, place := range others {
		changes[place] = made[number]
	}
	return changes, nil
}

// learn asks the filter about one Resource, and remembers what it says, unless that is nothing that holds for the next one as well.
func (d *decision) learn(key []byte, entry outline) (*change, error) {
	before := d.report
	isPlain := false
	var made *change
	err := d.ask(entry.whole, func(prepared *records.Prepared) error {
		isPlain = len(prepared.Notices) == 0
		changes, err := changesOf([]outline{entry}, entry.whole, prepared)
		if err == nil {
			made = changes[0]
		}
		return err
	})
	if err != nil || !isPlain {
		return made, err
	}
	what := decided{change: made}
	for place := range d.report {
		if met := d.report[place] - before[place]; met > 0 {
			what.counts = append(what.counts, count{records.Count(place), met})
		}
	}
	d.filter.memory.keep(key, what)
	return made, nil
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
