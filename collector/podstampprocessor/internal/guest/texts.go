package guest

import (
	"context"

	"github.com/podstamp/podstamp/collector/podstampprocessor/internal/records"
)

// texts are the pods as they came: a text of all pods, and then what has changed.
type texts struct {
	// generation counts texts of all pods.
	generation int
	list       [][]byte
	bytes      int
}

// State is how much of the texts of pods an instance has read.
type State struct{ generation, texts int }

// HasPods says whether that is any.
func (s State) HasPods() bool { return s != State{} }

// Feed hands a text of pods to all instances, after one of them has read it. The error is a [records.PodsFault] where that one
// cannot: no other gets it then.
func (p *Pool) Feed(ctx context.Context, text []byte, all bool) (records.PodsState, error) {
	if err := p.occupy(ctx); err != nil {
		return records.PodsState{}, err
	}
	instance, err := p.take()
	if err == nil && !all && p.read(instance, p.news(instance, true)) != nil {
		instance.Close()
		instance, err = p.fresh()
	}
	if err != nil {
		p.leave()
		return records.PodsState{}, err
	}
	state, err := instance.Pods(text)
	if err == nil {
		instance.seen = p.keep(text, all)
		instance.least = max(instance.least, instance.Memory())
	}
	p.put(instance)
	if err == nil {
		p.beside(p.spread)
	}
	return state, err
}

// keep adds a text to those that further instances will read.
func (p *Pool) keep(text []byte, all bool) State {
	p.lock.Lock()
	defer p.lock.Unlock()
	if all {
		p.texts = texts{generation: p.texts.generation + 1}
	}
	p.texts.list = append(p.texts.list, text)
	p.texts.bytes += len(text)
	return State{p.texts.generation, len(p.texts.list)}
}

// State is how much of the pods there is to read.
func (p *Pool) State() State {
	p.lock.Lock()
	defer p.lock.Unlock()
	return State{p.texts.generation, len(p.texts.list)}
}

// WantsAll says that what has changed has become more than all pods are, so that these are the shorter text for a new instance.
func (p *Pool) WantsAll() bool {
	p.lock.Lock()
	defer p.lock.Unlock()
	return len(p.texts.list) > 0 && p.texts.bytes > 2*len(p.texts.list[0])+fewChanges
}

const fewChanges = 256 << 10

// news are the texts that an instance has not read; none where it lacks a text of all pods, unless all are wanted.
func (p *Pool) news(instance *pooled, all bool) [][]byte {
	p.lock.Lock()
	defer p.lock.Unlock()
	if instance.seen.generation == p.texts.generation {
		return p.texts.list[instance.seen.texts:]
	}
	if !all {
		return nil
	}
	return p.texts.list
}

func (p *Pool) isBehind(instance *pooled) bool {
	p.lock.Lock()
	defer p.lock.Unlock()
	return p.lacks(instance)
}

func (p *Pool) lacks(instance *pooled) bool {
	return instance.seen != (State{p.texts.generation, len(p.texts.list)}) && len(p.texts.list) > 0
}

// read has an instance read texts that another has read before it. Where it cannot, it is of no more use.
func (p *Pool) read(instance *pooled, list [][]byte) error {
	if len(list) == 0 {
		return nil
	}
	for _, text := range list {
		if _, err := instance.Pods(text); err != nil {
			return err
		}
	}
	p.lock.Lock()
	defer p.lock.Unlock()
	instance.least = max(instance.least, instance.Memory())
	instance.seen = p.place(list)
	return nil
}

// place is how far an instance is that has read a list of texts to its end. It is behind where another has come meanwhile.
func (p *Pool) place(list [][]byte) State {
	last := &list[len(list)-1][0]
	for number, text := range p.texts.list {
		if &text[0] == last {
			return State{p.texts.generation, number + 1}
		}
	}
	// All pods came anew: what it has read belongs to the ones before.
	return State{generation: p.texts.generation - 1}
}

// spread has the instances that are idle read what they lack, one after the other.
func (p *Pool) spread() {
	p.reading.Lock()
	defer p.reading.Unlock()
	for p.occupy(p.ending) == nil {
		instance := p.takeBehind()
		if instance == nil {
			p.leave()
			return
		}
		p.catchUp(instance)
	}
}

func (p *Pool) takeBehind() *pooled {
	p.lock.Lock()
	defer p.lock.Unlock()
	for place, instance := range p.idle {
		if p.lacks(instance) {
			p.idle = append(p.idle[:place], p.idle[place+1:]...)
			return instance
		}
	}
	return nil
}
