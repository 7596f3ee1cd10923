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

// changes says what becomes of each resource of the batch; nil stands for no change.
func (d *decision) changes(list []outline, body []byte) ([]*change, error) {
	if d.filter.pool.HasPods() {
		return d.decided(list, body)
	}
	return d.remembered(list)
}

// decided asks the filter about a body, of which list has the resources.
func (d *decision) decided(list []outline, body []byte) ([]*change, error) {
	changes := make([]*change, len(list))
	err := d.ask(body, func(prepared *records.Prepared) (err error) {
		changes, err = changesOf(list, body, prepared)
		return err
	})
	return changes, err
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
