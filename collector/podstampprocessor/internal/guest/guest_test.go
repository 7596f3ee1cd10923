package guest

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/podstamp/podstamp/collector/podstampprocessor/internal/guesttest"
	"github.com/podstamp/podstamp/collector/podstampprocessor/internal/records"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patient leaves time on the slowest machine.
var patient = Limits{Time: time.Minute, Memory: 16 << 20}

// brisk is for what never ends, and for nothing else.
var brisk = Limits{Time: time.Second, Memory: 16 << 20}

func poolOf(t *testing.T, limits Limits, fault guesttest.Fault, instances int) *Pool {
	engine, err := NewEngine(t.Context(), guesttest.Module(ABI, fault), nil, limits, "")
	require.NoError(t, err)
	pool, err := NewPool(engine, instances)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, pool.Close(context.Background())) })
	return pool
}

// ask has a request prepared; with a peer the module misbehaves.
func ask(pool *Pool, peer string) error {
	request := records.Request{Peer: peer, Body: []byte("body")}
	return pool.Use(context.Background(), func(instance *Instance) error {
		return instance.Prepare(&request, func(prepared *records.Prepared) error {
			if prepared.Report[records.Resources] != 1 || prepared.Content != records.Unchanged {
				return errors.New("another answer than the module gives")
			}
			return nil
		})
	})
}

func TestAfterAFailureTheNextBatchPasses(t *testing.T) {
	for name, test := range map[string]struct {
		limits Limits
		fault  guesttest.Fault
		kind   Kind
	}{
		"trap":            {patient, guesttest.Trap, Trap},
		"spin":            {brisk, guesttest.Spin, Timeout},
		"memory":          {patient, guesttest.Grow, MemoryLimit},
		"outside":         {patient, guesttest.Outside, InvalidAnswer},
		"garbage":         {patient, guesttest.Garbage, InvalidAnswer},
		"an empty answer": {patient, guesttest.Fault{0x42, 0}, InvalidAnswer},
	} {
		t.Run(name, func(t *testing.T) {
			pool := poolOf(t, test.limits, test.fault, 1)
			for range 2 {
				var failure *Failure
				require.ErrorAs(t, ask(pool, "10.0.0.1"), &failure)
				assert.Equal(t, test.kind, failure.Kind, failure)
				require.NoError(t, ask(pool, ""))
			}
		})
	}
}

func TestAnInstanceThatHasGrownIsReplaced(t *testing.T) {
	pool := poolOf(t, patient, guesttest.Swell, 1)
	require.NoError(t, ask(pool, "10.0.0.1"))
	require.NoError(t, ask(pool, ""))
	require.NoError(t, pool.Use(t.Context(), func(instance *Instance) error {
		assert.Less(t, instance.Memory(), uint64(1<<20))
		return nil
	}))
}

func TestOneThatSpinsHoldsNobodyUp(t *testing.T) {
	pool := poolOf(t, brisk, guesttest.Spin, 2)
	spinning := make(chan error)
	go func() { spinning <- ask(pool, "10.0.0.1") }()
	for {
		require.NoError(t, ask(pool, ""))
		// Which stops all goroutines: one in compiled code has to leave it for that.
		runtime.GC()
		select {
		case err := <-spinning:
			require.Error(t, err)
			return
		default:
		}
	}
}

func TestWhoGetsNoInstanceIsToldThatAllAreBusy(t *testing.T) {
	pool := poolOf(t, brisk, guesttest.Trap, 1)
	held, let := make(chan struct{}), make(chan struct{})
	var group sync.WaitGroup
	group.Go(func() {
		assert.NoError(t, pool.Use(context.Background(), func(*Instance) error {
			close(held)
			<-let
			return nil
		}))
	})
	<-held
	var failure *Failure
	require.ErrorAs(t, ask(pool, ""), &failure)
	assert.Equal(t, Busy, failure.Kind)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, pool.Use(ended, func(*Instance) error { return nil }), context.Canceled)
	close(let)
	group.Wait()
	require.NoError(t, ask(pool, ""))
}

func TestAModuleOfAnotherKindIsRefused(t *testing.T) {
	for name, test := range map[string]struct {
		wasm []byte
		says string
	}{
		"version":   {guesttest.Module(ABI+1, guesttest.Trap), "version 2 of the ABI"},
		"no module": {[]byte("a text"), "cannot be compiled"},
		"empty":     {[]byte("\x00asm\x01\x00\x00\x00"), "does not export"},
	} {
		t.Run(name, func(t *testing.T) {
			engine, err := NewEngine(t.Context(), test.wasm, nil, patient, "")
			if err == nil {
				defer func() { assert.NoError(t, engine.Close()) }()
				_, _, err = engine.Instantiate()
			}
			assert.ErrorContains(t, err, test.says)
		})
	}
}

func TestManyUseThePoolAtOnce(t *testing.T) {
	pool := poolOf(t, patient, guesttest.Trap, 3)
	var group sync.WaitGroup
	for worker := range 8 {
		group.Go(func() {
			for round := range 50 {
				if (worker+round)%10 == 0 {
					assert.Error(t, ask(pool, "10.0.0.1"))
				} else {
					assert.NoError(t, ask(pool, ""))
				}
			}
		})
	}
	group.Go(func() {
		for number := range 20 {
			_, err := pool.Feed(context.Background(), []byte{byte(number + 1)}, number%5 == 0)
			assert.NoError(t, err)
		}
	})
	group.Wait()
}

func TestACompiledModuleIsKeptInAFolder(t *testing.T) {
	folder := t.TempDir()
	for range 2 {
		engine, err := NewEngine(t.Context(), guesttest.Module(ABI, guesttest.Trap), nil, patient, folder)
		require.NoError(t, err)
		require.NoError(t, engine.Close())
	}
	assert.DirExists(t, folder)
	_, err := NewEngine(t.Context(), guesttest.Module(ABI, guesttest.Trap), nil, patient, "/dev/null/no-folder")
	assert.ErrorContains(t, err, "/dev/null/no-folder")
}

func TestAModuleWithCodeThatIsNotKnownIsInterruptedByTheRuntime(t *testing.T) {
	returnCall := append(guesttest.Fault{0x12, 0}, guesttest.Spin...)
	_, err := interruptible(guesttest.Module(ABI, returnCall))
	require.ErrorIs(t, err, errUnknownCode)

	withInterrupt = func([]byte) ([]byte, error) { return nil, errUnknownCode }
	defer func() { withInterrupt = interruptible }()
	pool := poolOf(t, brisk, guesttest.Spin, 1)
	var failure *Failure
	require.ErrorAs(t, ask(pool, "10.0.0.1"), &failure)
	assert.Equal(t, Timeout, failure.Kind)
	require.NoError(t, ask(pool, ""))
}

func TestWhatIsCutShortIsNotMadeInterruptible(t *testing.T) {
	module := guesttest.Module(ABI, guesttest.Spin)
	_, err := interruptible(module)
	require.NoError(t, err)
	for length := range module {
		// Some beginnings are whole sections; none may panic.
		_, _ = interruptible(module[:length])
	}
}

func TestATextOnWhichTheFilterFailsReachesNoOtherInstance(t *testing.T) {
	pool := poolOf(t, patient, guesttest.Trap, 2)
	state, err := pool.Feed(t.Context(), []byte("all"), true)
	require.NoError(t, err)
	assert.Equal(t, records.PodsState{Pods: 2, Version: "7.1"}, state)
	var failure *Failure
	_, err = pool.Feed(t.Context(), []byte("trap"), false)
	require.ErrorAs(t, err, &failure)
	assert.Equal(t, Trap, failure.Kind)
	assert.Equal(t, State{1, 1}, pool.State())
	require.NoError(t, ask(pool, ""))
	// Instances that are made later have all of it.
	require.Error(t, ask(pool, "10.0.0.1"))
	_, err = pool.Feed(t.Context(), []byte("change"), false)
	require.NoError(t, err)
	require.NoError(t, pool.Use(t.Context(), func(instance *Instance) error {
		assert.Equal(t, State{1, 2}, instance.State())
		return pool.Use(t.Context(), func(other *Instance) error {
			assert.Equal(t, State{1, 2}, other.State())
			return nil
		})
	}))
}

func TestAllPodsAnewReachInstancesThatAreIdle(t *testing.T) {
	pool := poolOf(t, patient, guesttest.Trap, 3)
	// Three instances.
	require.NoError(t, pool.Use(t.Context(), func(*Instance) error {
		return pool.Use(t.Context(), func(*Instance) error { return ask(pool, "") })
	}))
	for range 5 {
		_, err := pool.Feed(t.Context(), []byte("all"), true)
		require.NoError(t, err)
	}
	require.Eventually(t, func() bool {
		pool.lock.Lock()
		defer pool.lock.Unlock()
		for _, instance := range pool.idle {
			if pool.lacks(instance) {
				return false
			}
		}
		return len(pool.idle) == 3
	}, time.Minute, time.Millisecond)
	assert.False(t, pool.WantsAll())
	for range 9 {
		_, err := pool.Feed(t.Context(), make([]byte, 64<<10), false)
		require.NoError(t, err)
	}
	assert.True(t, pool.WantsAll())
}

func TestBatchesAfterTheEndAreRefused(t *testing.T) {
	engine, err := NewEngine(t.Context(), guesttest.Module(ABI, guesttest.Trap), nil, patient, "")
	require.NoError(t, err)
	pool, err := NewPool(engine, 1)
	require.NoError(t, err)
	require.NoError(t, pool.Close(t.Context()))
	assert.ErrorContains(t, ask(pool, ""), "shut down")
}
