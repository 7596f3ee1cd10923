package podstampprocessor

import (
	"context"
	"net/http"
	"time"

	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.uber.org/zap"

	"github.com/podstamp/podstamp/collector/podstampprocessor/internal/guest"
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
	body, err := marshal(all)
	if err != nil {
		return err
	}
	return f.decide(ctx, signal, body, 0, all.Len(), spans, func(prepared *records.Prepared) error {
		if err := apply(all, body, prepared); err != nil {
			return err
		}
		for _, count := range ofSpans {
			prepared.Report[count] = 0
		}
		if after != nil {
			after(&prepared.Report)
		}
		return nil
	})
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
	now := uint64(time.Now().UnixNano())
	err = f.decide(ctx, records.Traces, body, now, td.ResourceSpans().Len(), td.SpanCount(), func(prepared *records.Prepared) error {
		if prepared.Content == records.Unchanged {
			return nil
		}
		content, err := contentOf(body, prepared)
		if err != nil {
			return err
		}
		made, err := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(content)
		if err != nil {
			return records.ErrMalformed
		}
		td = made
		return nil
	})
	return td, err
}

// decide asks the filter about a body, and has carry do what it says. What comes of it is counted and logged.
func (f *filter) decide(
	ctx context.Context, signal records.Signal, body []byte, now uint64, resources, spans int, carry func(*records.Prepared) error,
) error {
	asked := request(ctx, signal, f.pool.Settings().RequestHeaders, body)
	asked.Now = now
	begun := time.Now()
	var report records.Report
	var refusing error
	err := f.pool.Use(ctx, func(instance *guest.Instance) error {
		return instance.Prepare(&asked, func(prepared *records.Prepared) error {
			f.telemetry.notices(prepared.Notices)
			report = prepared.Report
			if answer := prepared.Answer; answer != nil {
				refusing = f.answered(signal, answer)
				return nil
			}
			err := carry(prepared)
			report = prepared.Report
			return err
		})
	})
	f.telemetry.PodstampFilterDuration.Record(ctx, time.Since(begun).Seconds())
	ended := accepted
	switch failure := asFailure(err); {
	case failure != nil:
		f.telemetry.failure(ctx, failure)
		ended, err = failed, fault(failure)
	case err != nil:
		ended = failed
	case refusing != nil:
		ended, err = refused, refusing
	}
	f.telemetry.batch(ctx, signal, ended, resources, spans, &report)
	return err
}

// answered is the error for a batch that the filter answers rather than sends on.
func (f *filter) answered(signal records.Signal, answer *records.Answer) error {
	if answer.Status == http.StatusNotFound {
		// The document has no pipeline for the signal, and the Collector has: there is nothing to do to it.
		f.passes[signal].Store(true)
		f.telemetry.logger.Info("the configuration has no pipeline for this signal: its batches pass as they are",
			zap.Stringer("signal", signal))
		return nil
	}
	if answer.Notice != nil {
		f.telemetry.notice(*answer.Notice)
	}
	return refusal(answer)
}
