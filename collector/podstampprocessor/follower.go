package podstampprocessor

import (
	"context"
	"fmt"
	"strings"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/podstamp/podstamp/collector/podstampprocessor/internal/pods"
)

// follower has the pods of a podstamp come.
type follower struct {
	source    *pods.Source
	endpoint  string
	telemetry *telemetry
	// isAwaited says that batches are not to be stamped before the pods have come.
	isAwaited bool
	cancel    context.CancelFunc
	ended     chan struct{}
}

// followPods begins to ask for pods, where the configuration needs some and says from where.
func (f *filter) followPods(ctx context.Context, host component.Host, settings component.TelemetrySettings) error {
	path := f.pool.Settings().PodsPath
	endpoint := f.config.endpoint()
	if path == "" || endpoint == "" {
		f.hintAtPods(path, endpoint)
		return nil
	}
	config := f.config.Pods.ClientConfig
	config.Endpoint = endpoint
	client, err := config.ToClient(ctx, host.GetExtensions(), settings)
	if err != nil {
		return fmt.Errorf("pods: %w", err)
	}
	made := &follower{endpoint: endpoint, telemetry: f.telemetry, isAwaited: f.config.waitsForPods(), ended: make(chan struct{})}
	made.source = &pods.Source{
		Client: client, URL: strings.TrimRight(endpoint, "/") + path, Wait: f.config.Pods.Wait, Interval: f.config.Pods.Interval,
		Table: f.pool, Observer: made,
	}
	if err := made.show(); err != nil {
		return err
	}
	// Start's own context ends with it.
	following, cancel := context.WithCancel(context.WithoutCancel(ctx))
	made.cancel = cancel
	go func() {
		defer close(made.ended)
		defer client.CloseIdleConnections()
		made.source.Follow(following)
	}()
	f.pods = made
	return nil
}

// hintAtPods says why no pods are asked for, where one may wonder.
func (f *filter) hintAtPods(path, endpoint string) {
	_, asks := f.config.Podstamp["pods"]
	switch {
	case endpoint != "":
		f.telemetry.logger.Info("pods.endpoint is not used: this configuration looks for no pods")
	case asks:
		f.telemetry.logger.Warn("podstamp.pods has no effect here, unless it is from: http://...: name a podstamp in pods.endpoint, " +
			"or let the k8sattributes processor of the Collector run ahead")
	case path != "" && len(f.config.lookups()) > 0:
		f.telemetry.logger.Warn("no pods are known here: name a podstamp in pods.endpoint, " +
			"or let the k8sattributes processor of the Collector run ahead, and leave out the one in this processor's own configuration")
	}
}

// missing is the error for batches while the pods have not come and the configuration waits for them.
func (f *filter) missing() error {
	if f.pods == nil || !f.pods.isAwaited || f.pods.source.Loaded() {
		return nil
	}
	const message = "podstamp: the pods are not known yet, and wait_for_metadata is set"
	f.telemetry.say(zapcore.WarnLevel, "waiting-for-pods", message)
	return told(status.New(codes.Unavailable, message), false)
}

// stop ends the asking.
func (f *follower) stop() {
	f.cancel()
	<-f.ended
}

// Loaded logs that all pods have come.
func (f *follower) Loaded(pods uint32, again bool) {
	if again {
		f.telemetry.PodstampPodsRelists.Add(context.Background(), 1)
	}
	level := zapcore.InfoLevel
	if pods == 0 {
		level = zapcore.WarnLevel
	}
	f.telemetry.say(level, "pods-loaded", "pods loaded", zap.Uint32("pods", pods), zap.String("endpoint", f.endpoint))
}

// Changed counts.
func (f *follower) Changed(pods int) {
	f.telemetry.PodstampPodsChanges.Add(context.Background(), int64(pods))
}

// Failed counts, and logs what is wrong.
func (f *follower) Failed(missing *pods.Missing) {
	f.telemetry.PodstampPodsSourceFailures.Add(context.Background(), 1, option(attribute.String("reason", missing.Reason)))
	message := fmt.Sprintf("no pods from %s (pods.endpoint): %s", f.endpoint, missing.Message)
	if f.source.Loaded() {
		message += fmt.Sprintf("; the %d pods of %s ago stay", f.source.Pods(), f.source.Age().Round(time.Second))
	}
	f.telemetry.say(zapcore.WarnLevel, "pods-missing", message, zap.String("reason", missing.Reason))
}

// show has the metrics of pods read when they are asked for.
func (f *follower) show() error {
	flag := func(isSet func() bool) metric.Int64Callback {
		return func(_ context.Context, observer metric.Int64Observer) error {
			if isSet() {
				observer.Observe(1)
			} else {
				observer.Observe(0)
			}
			return nil
		}
	}
	for _, register := range []func() error{
		func() error {
			return f.telemetry.RegisterPodstampPodsCallback(func(_ context.Context, observer metric.Int64Observer) error {
				observer.Observe(f.source.Pods())
				return nil
			})
		},
		func() error {
			return f.telemetry.RegisterPodstampPodsAgeCallback(func(_ context.Context, observer metric.Float64Observer) error {
				observer.Observe(f.source.Age().Seconds())
				return nil
			})
		},
		func() error { return f.telemetry.RegisterPodstampPodsLoadedCallback(flag(f.source.Loaded)) },
		func() error { return f.telemetry.RegisterPodstampPodsConnectedCallback(flag(f.source.Connected)) },
	} {
		if err := register(); err != nil {
			return err
		}
	}
	return nil
}
