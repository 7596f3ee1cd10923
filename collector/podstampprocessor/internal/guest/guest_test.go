package guest

import (
	"context"
	"errors"
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
var brisk = Limits{Time: 200 * time.Millisecond, Memory: 16 << 20}

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
