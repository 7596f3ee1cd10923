package podstampprocessor

import (
	"context"
	_ "embed"
	"errors"
	"sync"
	"sync/atomic"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/processor"
	"go.uber.org/zap"

	"github.com/podstamp/podstamp/collector/podstampprocessor/internal/guest"
	"github.com/podstamp/podstamp/collector/podstampprocessor/internal/records"
)

// wasm is podstamp's filter, as `cargo xtask package module` builds it.
//
//go:embed podstamp.wasm
var wasm []byte

// filter is what all pipelines with one configuration share: the instances, their pods, and what is counted.
type filter struct {
	config    *Config
	pool      *guest.Pool
	telemetry *telemetry
	memory    memory
	settings  component.TelemetrySettings
	users     int
	// passes says for each signal that it has no pipeline, and passes as it is.
	passes [3]atomic.Bool

	once sync.Once
	pods *follower
}

// newFilter makes the first instance. The error has all faults of the configuration.
func newFilter(ctx context.Context, set processor.Settings, config *Config) (*filter, error) {
	document, err := config.document()
	if err != nil {
		return nil, err
	}
	telemetry, err := newTelemetry(set.TelemetrySettings)
	if err != nil {
		return nil, err
	}
	engine, err := guest.NewEngine(ctx, wasm, document, config.limits(), config.CompilationCache)
	if err != nil {
		return nil, err
	}
	pool, err := guest.NewPool(engine, config.instances())
	if err != nil {
		return nil, errors.Join(faultsOf(err), engine.Close())
	}
	telemetry.logger.Info("filter ready", zap.String("sha256", guest.Version(wasm)), zap.Int("instances", config.instances()))
	for _, notice := range pool.Settings().Notices {
		telemetry.notice(notice)
	}
	return &filter{config: config, pool: pool, telemetry: telemetry, settings: set.TelemetrySettings}, nil
}

// start begins to follow pods, once for all pipelines.
func (f *filter) start(ctx context.Context, host component.Host) (err error) {
	f.once.Do(func() { err = f.followPods(ctx, host, f.settings) })
	return err
}

func (f *filter) close(ctx context.Context) error {
	if f.pods != nil {
		f.pods.stop()
	}
	f.telemetry.Shutdown()
	return f.pool.Close(ctx)
}

// checkDocument asks the filter what it thinks of a document. The error has a line for each fault.
func checkDocument(document []byte) error {
	limits := guest.Limits{Time: defaultTimeout, Memory: defaultMemory << 20}
	engine, err := guest.NewEngine(context.Background(), wasm, document, limits, "")
	if err != nil {
		return err
	}
	defer func() { _ = engine.Close() }()
	instance, _, err := engine.Instantiate()
	if err != nil {
		return faultsOf(err)
	}
	instance.Close()
	return nil
}

// faultsOf makes an error of each fault.
func faultsOf(err error) error {
	var faults records.Faults
	if !errors.As(err, &faults) {
		return err
	}
	list := make([]error, len(faults))
	for place, fault := range faults {
		list[place] = records.Faults{fault}
	}
	return errors.Join(list...)
}
