package podstampprocessor

import (
	"context"
	"time"

	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/podstamp/podstamp/collector/podstampprocessor/internal/records"
)

func (f *filter) traces(ctx context.Context, td ptrace.Traces) (ptrace.Traces, error) {
	all := tracesBatch{td.ResourceSpans()}
	if f.config.GuardSpans {
		return f.guarded(ctx, td)
	}
	return td, f.stamp(ctx, records.Traces, all, td.SpanCount(), func(report *records.Report) {
		if report[records.KindsCleared] > 0 {
			report[records.KindsCleared] = all.clearKinds()
		}
	})
}

func (f *filter) metrics(ctx context.Context, md pmetric.Metrics) (pmetric.Metrics, error) {
	return md, f.stamp(ctx, records.Metrics, metricsBatch{md.ResourceMetrics()}, 0, nil)
}

func (f *filter) logs(ctx context.Context, ld plog.Logs) (plog.Logs, error) {
	return ld, f.stamp(ctx, records.Logs, logsBatch{ld.ResourceLogs()}, 0, nil)
}

// stamp has the filter decide about the Resources of a batch, and changes them. Where that fails the batch is what it was.
func (f *filter) stamp(ctx context.Context, signal records.Signal, all batch, spans int, after func(*records.Report)) error {
	if all.Len() == 0 || f.passes[signal].Load() {
		return nil
	}
	list, err := outlinesOf(all)
	if err != nil {
		return err
	}
	decision := f.begin(ctx, signal, 0)
	var changes []*change
	if err = f.missing(); err == nil {
		changes, err = decision.remembered(list)
	}
	if err == nil {
		for place, change := range changes {
			change.apply(all.resource(place))
		}
		for _, count := range ofSpans {
			decision.report[count] = 0
		}
		if after != nil {
			after(&decision.report)
		}
	}
	return decision.end(err, all.Len(), spans)
}

// ofSpans are counts of what the filter did not see: one span stands for all of a resource.
var ofSpans = []records.Count{
	records.PeersRenamed, records.SpansMoved, records.SpansFar, records.SpansSenseless, records.NamesCut,
}

// guarded has whole batches of traces go through the filter, and makes new ones of what comes back.
func (f *filter) guarded(ctx context.Context, td ptrace.Traces) (ptrace.Traces, error) {
	if td.ResourceSpans().Len() == 0 || f.passes[records.Traces].Load() {
		return td, nil
	}
	body, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(td)
	if err != nil {
		return td, err
	}
	decision := f.begin(ctx, records.Traces, uint64(time.Now().UnixNano()))
	made := td
	if err := f.missing(); err != nil {
		return td, decision.end(err, td.ResourceSpans().Len(), td.SpanCount())
	}
	err = decision.ask(body, func(prepared *records.Prepared) error {
		if prepared.Content == records.Unchanged {
			return nil
		}
		content, err := contentOf(body, prepared)
		if err != nil {
			return err
		}
		if made, err = (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(content); err != nil {
			return records.ErrMalformed
		}
		return nil
	})
	return made, decision.end(err, td.ResourceSpans().Len(), td.SpanCount())
}
