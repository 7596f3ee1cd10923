package guest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/podstamp/podstamp/collector/podstampprocessor/internal/records"
)

// Instance is one instance of the module. It takes one call at a time.
type Instance struct {
	module                                api.Module
	memory                                api.Memory
	allocate, free, configure, pods, prep api.Function
	limits                                Limits
	clock                                 *deadline
	stack                                 [2]uint64
	prepared                              records.Prepared
	seen                                  State
	dead                                  bool
}

// Instantiate makes an instance and configures it. The error is [records.Faults] where the configuration has some.
func (e *Engine) Instantiate() (*Instance, *records.Settings, error) {
	i := &Instance{limits: e.limits, clock: newDeadline()}
	// It has no start function: nothing runs here yet.
	module, err := e.runtime.InstantiateModule(i.clock, e.compiled, wazero.NewModuleConfig().WithName(""))
	if err != nil {
		return nil, nil, fmt.Errorf("the module cannot be instantiated: %w", err)
	}
	i.module, i.memory = module, module.Memory()
	i.clock.interrupt, _ = module.ExportedGlobal(interruptName).(api.MutableGlobal)
	defer i.within(startTime)()
	if err := i.resolve(); err != nil {
		i.Close()
		return nil, nil, err
	}
	settings, err := i.configured(e.document)
	if err != nil {
		i.Close()
		return nil, nil, err
	}
	return i, settings, nil
}

// startTime is for making an instance, which nobody's batch has to wait for where it takes long.
const startTime = 30 * time.Second

// resolve looks the exports up, and refuses a module of another ABI.
func (i *Instance) resolve() error {
	var version api.Function
	for name, function := range map[string]*api.Function{
		"podstamp_abi": &version, "podstamp_allocate": &i.allocate, "podstamp_free": &i.free,
		"podstamp_configure": &i.configure, "podstamp_pods": &i.pods, "podstamp_prepare": &i.prep,
	} {
		if *function = i.module.ExportedFunction(name); *function == nil {
			return fmt.Errorf("the module does not export %s: it is none of podstamp's", name)
		}
	}
	if i.memory == nil {
		return errors.New("the module does not export its memory: it is none of podstamp's")
	}
	if err := version.CallWithStack(i.clock, i.stack[:]); err != nil {
		return i.failed("podstamp_abi", err)
	}
	if has := uint32(i.stack[0]); has != ABI {
		return fmt.Errorf("the module has version %d of the ABI, and this processor speaks %d", has, ABI)
	}
	return nil
}

func (i *Instance) configured(document []byte) (*records.Settings, error) {
	argument := func(into []byte) { copy(into, document) }
	var settings *records.Settings
	err := i.call("podstamp_configure", i.configure, len(document), argument, func(result []byte) (err error) {
		settings, err = records.DecodeSettings(result)
		return err
	})
	return settings, err
}

// Prepare hands in a request, and what is decided to use, which may read the instance's memory until it returns.
func (i *Instance) Prepare(request *records.Request, use func(*records.Prepared) error) error {
	defer i.within(i.limits.Time)()
	return i.call("podstamp_prepare", i.prep, request.Size(), request.Put, func(result []byte) error {
		if err := i.prepared.Decode(result); err != nil {
			return err
		}
		return use(&i.prepared)
	})
}

// Pods hands in a text of pods. The error is a [records.PodsFault] where the text is at fault: the pods are what they were then.
func (i *Instance) Pods(text []byte) (records.PodsState, error) {
	// A text of all pods takes longer than a batch may.
	defer i.within(max(i.limits.Time, startTime))()
	var state records.PodsState
	argument := func(into []byte) { copy(into, text) }
	err := i.call("podstamp_pods", i.pods, len(text), argument, func(result []byte) (err error) {
		state, err = records.DecodePodsState(result)
		return err
	})
	return state, err
}

// call writes an argument of so many bytes, calls, and lets read see the result before it is given back.
func (i *Instance) call(name string, function api.Function, length int, argument func([]byte), read func([]byte) error) error {
	if i.dead {
		return &Failure{Trap, name, errors.New("the instance has failed before")}
	}
	pointer, err := i.give(name, length, argument)
	if err != nil {
		return err
	}
	i.stack = [2]uint64{uint64(pointer), uint64(length)}
	if err := function.CallWithStack(i.clock, i.stack[:]); err != nil {
		return i.failed(name, err)
	}
	pointer, size := uint32(i.stack[0]>>32), uint32(i.stack[0])
	// The module's memory may have moved: it is looked up anew.
	result, ok := i.memory.Read(pointer, size)
	if !ok {
		i.dead = true
		return &Failure{InvalidAnswer, name, fmt.Errorf("%d bytes at %d are outside of its memory", size, pointer)}
	}
	if err := read(result); err != nil {
		if errors.Is(err, records.ErrMalformed) {
			i.dead = true
			return &Failure{InvalidAnswer, name, err}
		}
		i.giveBack(pointer, size)
		return err
	}
	i.giveBack(pointer, size)
	return nil
}

// give has the module make room, and writes an argument there.
func (i *Instance) give(name string, length int, argument func([]byte)) (uint32, error) {
	if length == 0 {
		return 0, nil
	}
	if uint64(length) > i.limits.Memory {
		return 0, &Failure{MemoryLimit, name, fmt.Errorf("%d bytes", length)}
	}
	i.stack[0] = uint64(length)
	if err := i.allocate.CallWithStack(i.clock, i.stack[:]); err != nil {
		return 0, i.failed("podstamp_allocate", err)
	}
	pointer := uint32(i.stack[0])
	if pointer == 0 {
		return 0, &Failure{MemoryLimit, name, fmt.Errorf("there is no room for %d bytes", length)}
	}
	room, ok := i.memory.Read(pointer, uint32(length))
	if !ok {
		i.dead = true
		return 0, &Failure{InvalidAnswer, "podstamp_allocate", fmt.Errorf("%d bytes at %d are outside of its memory", length, pointer)}
	}
	argument(room)
	return pointer, nil
}

func (i *Instance) giveBack(pointer, size uint32) {
	if size == 0 {
		return
	}
	i.stack = [2]uint64{uint64(pointer), uint64(size)}
	// Whoever called has the answer already: the next call is made by another instance.
	i.dead = i.free.CallWithStack(i.clock, i.stack[:]) != nil
}

// within bounds the calls until the function that it gives is called.
func (i *Instance) within(limit time.Duration) func() {
	i.clock.start(limit)
	return i.stopped
}

func (i *Instance) stopped() {
	if !i.clock.stop() {
		i.dead = true
	}
}

// Dead says that the instance must not be used any more.
func (i *Instance) Dead() bool { return i.dead }

// State is how much of the pods it has.
func (i *Instance) State() State { return i.seen }

// Memory is how many bytes its memory has.
func (i *Instance) Memory() uint64 { return uint64(i.memory.Size()) }

// Close gives the instance up.
func (i *Instance) Close() { _ = i.module.Close(context.Background()) }
