package guest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/podstamp/podstamp/collector/podstampprocessor/internal/records"
)

// Pool has the instances of one engine. They are made when they are needed, all with the same pods; the one that was used last is
// used next, so that few work where few are needed.
type Pool struct {
	engine   *Engine
	settings *records.Settings
	// places holds an item for each instance that is in use.
	places chan struct{}
	stop   context.CancelFunc
	ending context.Context

	lock  sync.Mutex
	idle  []*pooled
	texts texts

	// reading is held while an instance reads pods beside the batches: one at a time, so that the others serve.
	reading    sync.Mutex
	background sync.WaitGroup
}

// pooled is an instance and how much memory it has without batches.
type pooled struct {
	*Instance
	least uint64
}

// NewPool makes a pool of so many instances, and the first of them. The error is [records.Faults] where the configuration has some.
func NewPool(engine *Engine, instances int) (*Pool, error) {
	first, settings, err := engine.Instantiate()
	if err != nil {
		return nil, err
	}
	pool := &Pool{engine: engine, settings: settings, places: make(chan struct{}, instances)}
	pool.idle = append(pool.idle, &pooled{Instance: first, least: first.Memory()})
	pool.ending, pool.stop = context.WithCancel(context.Background())
	return pool, nil
}

// Settings are what the configuration asks of the host.
func (p *Pool) Settings() *records.Settings { return p.settings }

// Use waits for an instance, for as long as a call may take, and lends it.
func (p *Pool) Use(ctx context.Context, run func(*Instance) error) error {
	if err := p.occupy(ctx); err != nil {
		return err
	}
	instance, err := p.take()
	if err != nil {
		p.leave()
		return err
	}
	err = run(instance.Instance)
	p.put(instance)
	return err
}

// occupy takes a place.
func (p *Pool) occupy(ctx context.Context) error {
	select {
	case p.places <- struct{}{}:
		return nil
	default:
	}
	patience := time.NewTimer(p.engine.limits.Time)
	defer patience.Stop()
	select {
	case p.places <- struct{}{}:
		return nil
	case <-patience.C:
		return &Failure{Busy, "podstamp_prepare", errors.New("no instance became free")}
	case <-ctx.Done():
		return ctx.Err()
	case <-p.ending.Done():
		return errors.New("the processor has been shut down")
	}
}

func (p *Pool) leave() { <-p.places }

// take gives an idle instance, or makes one. A place has to be held.
func (p *Pool) take() (*pooled, error) {
	p.lock.Lock()
	var instance *pooled
	if last := len(p.idle) - 1; last >= 0 {
		instance, p.idle = p.idle[last], p.idle[:last]
	}
	p.lock.Unlock()
	if instance == nil {
		return p.fresh()
	}
	// What has changed takes microseconds. All pods anew take longer, and are read beside the batches.
	if changes := p.news(instance, false); len(changes) > 0 && p.read(instance, changes) != nil {
		instance.Close()
		return p.fresh()
	}
	return instance, nil
}

// fresh makes an instance that has all pods.
func (p *Pool) fresh() (*pooled, error) {
	made, _, err := p.engine.Instantiate()
	if err != nil {
		return nil, fmt.Errorf("no further instance of the filter can be made: %w", err)
	}
	instance := &pooled{Instance: made, least: made.Memory()}
	if err := p.read(instance, p.news(instance, true)); err != nil {
		instance.Close()
		var failure *Failure
		if !errors.As(err, &failure) {
			failure = &Failure{InvalidAnswer, "podstamp_pods", err}
		}
		return nil, failure
	}
	return instance, nil
}

// put takes an instance back, and leaves its place. One that is of no more use is replaced beside the batches.
func (p *Pool) put(instance *pooled) {
	switch {
	case instance.Dead() || instance.Memory() > instance.least+p.engine.limits.growth():
		instance.Close()
		p.leave()
		p.beside(p.replace)
		return
	case p.isBehind(instance) && p.reading.TryLock():
		p.beside(func() {
			defer p.reading.Unlock()
			p.catchUp(instance)
		})
		return
	}
	p.rest(instance)
	p.leave()
}

// rest makes an instance idle.
func (p *Pool) rest(instance *pooled) {
	p.lock.Lock()
	defer p.lock.Unlock()
	if len(p.idle) >= cap(p.places) || p.ending.Err() != nil {
		instance.Close()
		return
	}
	p.idle = append(p.idle, instance)
}

// replace makes an instance in place of one that is gone. Where it cannot be made, the next batch will say why.
func (p *Pool) replace() {
	if instance, err := p.fresh(); err == nil {
		p.rest(instance)
	}
}

// catchUp has an instance read all pods that it lacks, and leaves its place.
func (p *Pool) catchUp(instance *pooled) {
	defer p.leave()
	if p.read(instance, p.news(instance, true)) == nil && !instance.Dead() {
		p.rest(instance)
		return
	}
	instance.Close()
	p.replace()
}

// beside runs what no batch waits for.
func (p *Pool) beside(run func()) {
	p.lock.Lock()
	defer p.lock.Unlock()
	if p.ending.Err() != nil {
		return
	}
	p.background.Add(1)
	go func() {
		defer p.background.Done()
		run()
	}()
}

// Close waits for what is running, and gives up all instances.
func (p *Pool) Close(ctx context.Context) error {
	p.lock.Lock()
	p.stop()
	p.lock.Unlock()
	p.background.Wait()
	for range cap(p.places) {
		select {
		case p.places <- struct{}{}:
		case <-ctx.Done():
			return errors.Join(ctx.Err(), p.engine.Close())
		}
	}
	return p.engine.Close()
}
