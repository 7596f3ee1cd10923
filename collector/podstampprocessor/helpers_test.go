package podstampprocessor

import (
	"context"
	"fmt"
	"net"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/client"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/processor"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/podstamp/podstamp/collector/podstampprocessor/internal/metadatatest"
)

// running is a processor of traces that runs, and what comes out of it.
type running struct {
	processor.Traces
	sink      *consumertest.TracesSink
	telemetry *componenttest.Telemetry
	logs      *observer.ObservedLogs
}

func run(t *testing.T, config *Config) *running {
	t.Helper()
	r := &running{sink: new(consumertest.TracesSink), telemetry: componenttest.NewTelemetry()}
	settings := metadatatest.NewSettings(r.telemetry)
	var core zapcore.Core
	core, r.logs = observer.New(zapcore.DebugLevel)
	settings.Logger = zap.New(core)
	made, err := NewFactory().CreateTraces(t.Context(), settings, config, r.sink)
	require.NoError(t, err)
	require.NoError(t, made.Start(t.Context(), componenttest.NewNopHost()))
	t.Cleanup(func() {
		assert.NoError(t, made.Shutdown(context.Background()))
		assert.NoError(t, r.telemetry.Shutdown(context.Background()))
	})
	r.Traces = made
	return r
}

// from is the context of a batch that came from an address.
func from(ip string, headers map[string][]string) context.Context {
	return client.NewContext(context.Background(), client.Info{
		Addr: &net.TCPAddr{IP: net.ParseIP(ip), Port: 4317}, Metadata: client.NewMetadata(headers),
	})
}

// batchOf makes a batch of one resource with a span.
func batchOf(attributes map[string]any) ptrace.Traces {
	td := ptrace.NewTraces()
	spans := td.ResourceSpans().AppendEmpty()
	_ = spans.Resource().Attributes().FromRaw(attributes)
	spans.ScopeSpans().AppendEmpty().Spans().AppendEmpty().SetName("GET /")
	return td
}

func addresses(td ptrace.Traces) []string {
	var list []string
	for _, spans := range td.ResourceSpans().All() {
		list = append(list, addressOf(spans.Resource()))
	}
	return list
}

func addressOf(resource pcommon.Resource) string {
	value, ok := resource.Attributes().Get("app.host.ip")
	if !ok {
		return "none"
	}
	return value.AsString()
}

// last is what came out last.
func (r *running) last(t *testing.T) ptrace.Traces {
	t.Helper()
	all := r.sink.AllTraces()
	require.NotEmpty(t, all)
	return all[len(all)-1]
}

func faulty(t *testing.T, module []byte) {
	before := wasm
	wasm = module
	t.Cleanup(func() { wasm = before })
}

// batchFrom makes a batch as SDKs send them: so many spans, of so many pods.
func batchFrom(pods, spans int) ptrace.Traces {
	td := ptrace.NewTraces()
	for pod := range pods {
		entry := td.ResourceSpans().AppendEmpty()
		_ = entry.Resource().Attributes().FromRaw(map[string]any{
			"service.name": "shop", "service.version": "1.4.2", "telemetry.sdk.language": "java",
			"telemetry.sdk.name": "opentelemetry", "telemetry.sdk.version": "1.45.0", "os.type": "linux", "process.pid": 1,
			"host.name": fmt.Sprintf("shop-%d", pod), "k8s.pod.name": fmt.Sprintf("shop-%d", pod),
			"k8s.pod.ip": fmt.Sprintf("10.244.1.%d", pod+1),
		})
		scope := entry.ScopeSpans().AppendEmpty()
		scope.Scope().SetName("io.opentelemetry.http")
		for number := range spans / pods {
			span := scope.Spans().AppendEmpty()
			span.SetName("GET /shop/full")
			span.SetKind(ptrace.SpanKindServer)
			span.SetTraceID([16]byte{1, byte(number)})
			span.SetSpanID([8]byte{1, byte(number)})
			span.SetStartTimestamp(1_700_000_000_000_000_000)
			span.SetEndTimestamp(1_700_000_000_100_000_000)
			_ = span.Attributes().FromRaw(map[string]any{
				"http.method": "GET", "http.url": "http://shop/shop/full", "http.status_code": 200, "thread.name": "worker-1",
			})
		}
	}
	return td
}
