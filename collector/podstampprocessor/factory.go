package podstampprocessor

import (
	"context"
	"sync"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/collector/processor/processorhelper"

	"github.com/podstamp/podstamp/collector/podstampprocessor/internal/metadata"
)

// NewFactory makes the factory of the podstamp processor.
func NewFactory() processor.Factory {
	f := &factory{filters: map[*Config]*filter{}}
	return processor.NewFactory(metadata.Type, createDefaultConfig,
		processor.WithTraces(f.createTraces, metadata.TracesStability),
		processor.WithMetrics(f.createMetrics, metadata.MetricsStability),
		processor.WithLogs(f.createLogs, metadata.LogsStability))
}

// factory keeps the filters, one for each configuration: all pipelines that name a processor share its instances and pods.
type factory struct {
	lock    sync.Mutex
	filters map[*Config]*filter
}

func (f *factory) createTraces(ctx context.Context, set processor.Settings, cfg component.Config, next consumer.Traces) (processor.Traces, error) {
	filter, err := f.join(ctx, set, cfg.(*Config))
	if err != nil {
		return nil, err
	}
	return processorhelper.NewTraces(ctx, set, cfg, next, filter.traces, f.options(filter)...)
}

func (f *factory) createMetrics(ctx context.Context, set processor.Settings, cfg component.Config, next consumer.Metrics) (processor.Metrics, error) {
	filter, err := f.join(ctx, set, cfg.(*Config))
	if err != nil {
		return nil, err
	}
	return processorhelper.NewMetrics(ctx, set, cfg, next, filter.metrics, f.options(filter)...)
}

func (f *factory) createLogs(ctx context.Context, set processor.Settings, cfg component.Config, next consumer.Logs) (processor.Logs, error) {
	filter, err := f.join(ctx, set, cfg.(*Config))
	if err != nil {
		return nil, err
	}
	return processorhelper.NewLogs(ctx, set, cfg, next, filter.logs, f.options(filter)...)
}

// join takes part in the filter of a configuration, or makes it.
func (f *factory) join(ctx context.Context, set processor.Settings, config *Config) (*filter, error) {
	f.lock.Lock()
	defer f.lock.Unlock()
	if known, ok := f.filters[config]; ok {
		known.users++
		return known, nil
	}
	made, err := newFilter(ctx, set, config)
	if err != nil {
		return nil, err
	}
	made.users = 1
	f.filters[config] = made
	return made, nil
}

// leave gives a filter up once no pipeline takes part in it any more.
func (f *factory) leave(ctx context.Context, filter *filter) error {
	f.lock.Lock()
	defer f.lock.Unlock()
	if filter.users--; filter.users > 0 {
		return nil
	}
	delete(f.filters, filter.config)
	return filter.close(ctx)
}

func (f *factory) options(filter *filter) []processorhelper.Option {
	var once sync.Once
	return []processorhelper.Option{
		processorhelper.WithCapabilities(consumer.Capabilities{MutatesData: true}),
		processorhelper.WithStart(filter.start),
		processorhelper.WithShutdown(func(ctx context.Context) (err error) {
			once.Do(func() { err = f.leave(ctx, filter) })
			return err
		}),
	}
}
