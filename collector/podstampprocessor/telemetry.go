package podstampprocessor

import (
	"context"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/podstamp/podstamp/collector/podstampprocessor/internal/guest"
	"github.com/podstamp/podstamp/collector/podstampprocessor/internal/metadata"
	"github.com/podstamp/podstamp/collector/podstampprocessor/internal/records"
)

// outcome is how a batch ended in this processor.
type outcome int

const (
	accepted outcome = iota
	refused
	failed
	outcomes
)

func (o outcome) String() string { return [...]string{"accepted", "refused", "failed"}[o] }

// telemetry is what the processor counts and logs, under the names that podstamp has everywhere.
type telemetry struct {
	*metadata.TelemetryBuilder
	logger   *zap.Logger
	requests [3][outcomes]metric.MeasurementOption
	outcomes [outcomes]metric.MeasurementOption
	from     map[records.Count]metric.MeasurementOption
	rules    map[records.Count]metric.MeasurementOption

	lock sync.Mutex
	said map[string]time.Time
}

func newTelemetry(settings component.TelemetrySettings) (*telemetry, error) {
	builder, err := metadata.NewTelemetryBuilder(settings)
	if err != nil {
		return nil, err
	}
	t := &telemetry{
		TelemetryBuilder: builder, logger: settings.Logger, said: map[string]time.Time{},
		from: options("from", fromNames), rules: options("rule", ruleNames),
	}
	for outcome := range outcomes {
		t.outcomes[outcome] = option(attribute.String("outcome", outcome.String()))
		for signal := range t.requests {
			t.requests[signal][outcome] = option(
				attribute.String("outcome", outcome.String()), attribute.String("signal", records.Signal(signal).String()))
		}
	}
	return t, nil
}

var fromNames = map[records.Count]string{
	records.AddressKept: "kept", records.AddressPipeline: "pipeline", records.AddressPodIP: "pod_ip", records.AddressPod: "pod",
	records.AddressConnection: "connection", records.AddressUnknown: "unknown", records.AddressContradicted: "contradicted",
}

var ruleNames = map[records.Count]string{
	records.Refused: "refused", records.KindsCleared: "kind_cleared", records.ResourcesCreated: "resource_created",
	records.AddressesNormalised: "address_normalised", records.AddressesRepaired: "address_repaired",
	records.PeersRenamed: "peer_renamed", records.SpansMoved: "span_moved", records.SpansFar: "span_far",
	records.SpansSenseless: "span_senseless", records.NamesCut: "name_cut", records.TextsMended: "text_mended",
	records.RequestsSplit: "request_split",
}

func option(attributes ...attribute.KeyValue) metric.MeasurementOption {
	return metric.WithAttributeSet(attribute.NewSet(attributes...))
}

func options(key string, names map[records.Count]string) map[records.Count]metric.MeasurementOption {
	made := make(map[records.Count]metric.MeasurementOption, len(names))
	for count, name := range names {
		made[count] = option(attribute.String(key, name))
	}
	return made
}

// batch counts a batch that has come to its end here.
func (t *telemetry) batch(ctx context.Context, signal records.Signal, ended outcome, resources, spans int, report *records.Report) {
	t.PodstampSignalRequests.Add(ctx, 1, t.requests[signal][ended])
	t.PodstampResources.Add(ctx, int64(resources), t.outcomes[ended])
	if spans > 0 {
		t.PodstampSpans.Add(ctx, int64(spans), t.outcomes[ended])
	}
	for count, met := range report {
		if met == 0 {
			continue
		}
		if option := t.from[records.Count(count)]; option != nil {
			t.PodstampAddresses.Add(ctx, int64(met), option)
		} else if option := t.rules[records.Count(count)]; option != nil {
			t.PodstampGuardRepairs.Add(ctx, int64(met), option)
		}
	}
}

// failure counts a call that gave no answer, and logs why.
func (t *telemetry) failure(ctx context.Context, failure *guest.Failure) {
	t.PodstampFilterFailures.Add(ctx, 1, option(attribute.String("kind", string(failure.Kind))))
	t.say(zapcore.ErrorLevel, "filter-"+string(failure.Kind), failure.Error())
}

// notices logs what the filter has to say.
func (t *telemetry) notices(notices []records.Notice) {
	for _, notice := range notices {
		t.notice(notice)
	}
}

func (t *telemetry) notice(notice records.Notice) {
	level := [...]zapcore.Level{zapcore.InfoLevel, zapcore.WarnLevel, zapcore.ErrorLevel}[notice.Level]
	t.say(level, notice.Key, notice.Message)
}

// say logs a message unless one of its kind was logged just before.
func (t *telemetry) say(level zapcore.Level, key, message string, fields ...zap.Field) {
	t.lock.Lock()
	before, known := t.said[key]
	now := time.Now()
	if known && now.Sub(before) < betweenMessages {
		t.lock.Unlock()
		return
	}
	if len(t.said) >= maxKinds {
		clear(t.said)
	}
	t.said[key] = now
	t.lock.Unlock()
	if checked := t.logger.Check(level, message); checked != nil {
		checked.Write(append(fields, zap.String("kind", key))...)
	}
}

const (
	// betweenMessages is podstamp's own: a kind of event is logged at most once in that time.
	betweenMessages = 10 * time.Second
	// maxKinds is far over how many kinds there are.
	maxKinds = 1000
)
