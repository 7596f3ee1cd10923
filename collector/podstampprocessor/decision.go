package podstampprocessor

import (
	"context"
	"net/http"
	"time"

	"go.uber.org/zap"

	"github.com/podstamp/podstamp/collector/podstampprocessor/internal/guest"
	"github.com/podstamp/podstamp/collector/podstampprocessor/internal/records"
)

// decision is what the filter says of one batch, in one call or several.
type decision struct {
	filter  *filter
	ctx     context.Context
	begun   time.Time
	request records.Request
	report  records.Report
	// pods are those that the filter had when it was asked last.
	pods guest.State
}

// refusedError says that the filter refuses a batch, with what its client is told.
type refusedError struct{ error }

func (f *filter) begin(ctx context.Context, signal records.Signal, now uint64) *decision {
	asked := request(ctx, signal, f.pool.Settings().RequestHeaders)
	asked.Now = now
	return &decision{filter: f, ctx: ctx, begun: time.Now(), request: asked}
}

// ask has the filter prepare a body, and carry do what it says. What is reported is added up.
func (d *decision) ask(body []byte, carry func(*records.Prepared) error) error {
	d.request.Body = body
	return d.filter.pool.Use(d.ctx, func(instance *guest.Instance) error {
		d.pods = instance.State()
		return instance.Prepare(&d.request, func(prepared *records.Prepared) error {
			d.filter.telemetry.notices(prepared.Notices)
			for count, met := range prepared.Report {
				d.report[count] += met
			}
			if prepared.Answer != nil {
				return d.answered(prepared.Answer)
			}
			return carry(prepared)
		})
	})
}

// answered is the error for a batch that the filter answers rather than sends on.
func (d *decision) answered(answer *records.Answer) error {
	if answer.Status == http.StatusNotFound {
		// The document has no pipeline for the signal, and the Collector has: there is nothing to do to it.
		if !d.filter.passes[d.request.Signal].Swap(true) {
			d.filter.telemetry.logger.Info("the configuration has no pipeline for this signal: its batches pass as they are",
				zap.Stringer("signal", d.request.Signal))
		}
		return nil
	}
	if answer.Notice != nil {
		d.filter.telemetry.notice(*answer.Notice)
	}
	if err := refusal(answer); err != nil {
		return refusedError{err}
	}
	return nil
}

// end counts and logs what came of the batch, and gives the error that its sender gets.
func (d *decision) end(err error, resources, spans int) error {
	telemetry := d.filter.telemetry
	telemetry.PodstampFilterDuration.Record(d.ctx, time.Since(d.begun).Seconds())
	ended := accepted
	if refusing, ok := err.(refusedError); ok {
		ended, err = refused, refusing.error
	} else if failure := asFailure(err); failure != nil {
		telemetry.failure(d.ctx, failure)
		ended, err = failed, fault(failure)
	} else if err != nil {
		ended = failed
	}
	telemetry.batch(d.ctx, d.request.Signal, ended, resources, spans, &d.report)
	return err
}
