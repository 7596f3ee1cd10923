package podstampprocessor

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.uber.org/zap"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/podstamp/podstamp/collector/podstampprocessor/internal/guest"
	"github.com/podstamp/podstamp/collector/podstampprocessor/internal/guesttest"
	"github.com/podstamp/podstamp/collector/podstampprocessor/internal/metadatatest"
)

func TestTheConnectionsAddressIsStampedWithoutAnyConfiguration(t *testing.T) {
	r := run(t, createDefaultConfig().(*Config))
	require.NoError(t, r.ConsumeTraces(from("10.1.2.3", nil), batchOf(map[string]any{"service.name": "shop"})))
	assert.Equal(t, []string{"10.1.2.3"}, addresses(r.last(t)))
	require.NoError(t, r.ConsumeTraces(t.Context(), batchOf(map[string]any{"k8s.pod.ip": "10.1.2.4"})))
	assert.Equal(t, []string{"10.1.2.4"}, addresses(r.last(t)))
	require.NoError(t, r.ConsumeTraces(t.Context(), batchOf(nil)))
	assert.Equal(t, []string{"0.0.0.0"}, addresses(r.last(t)))
}

func TestATrustedProxysClientIsFoundInTheHeaders(t *testing.T) {
	r := run(t, written(t, "podstamp: {trusted_proxies: [10.9.0.0/16]}"))
	headers := map[string][]string{"X-Forwarded-For": {"10.1.2.3"}}
	require.NoError(t, r.ConsumeTraces(from("10.9.0.1", headers), batchOf(nil)))
	assert.Equal(t, []string{"10.1.2.3"}, addresses(r.last(t)))
	require.NoError(t, r.ConsumeTraces(from("10.8.0.1", headers), batchOf(nil)))
	assert.Equal(t, []string{"10.8.0.1"}, addresses(r.last(t)))
}

func TestOnlyResourcesChange(t *testing.T) {
	r := run(t, createDefaultConfig().(*Config))
	td := ptrace.NewTraces()
	for number := range 3 {
		spans := td.ResourceSpans().AppendEmpty()
		spans.SetSchemaUrl("https://opentelemetry.io/schemas/1.30.0")
		attributes := spans.Resource().Attributes()
		attributes.PutStr("k8s.pod.ip", fmt.Sprintf("10.0.0.%d", number+1))
		attributes.PutEmptyMap("nested").PutEmptySlice("list").AppendEmpty().SetDouble(0.5)
		attributes.PutEmptyBytes("bytes").FromRaw([]byte{0, 0xff})
		spans.Resource().SetDroppedAttributesCount(7)
		scope := spans.ScopeSpans().AppendEmpty()
		scope.Scope().SetName("a scope")
		for range number {
			span := scope.Spans().AppendEmpty()
			span.SetName("GET /")
			span.SetKind(ptrace.SpanKindServer)
			span.Attributes().PutInt("http.status_code", 200)
		}
	}
	// An address that is there twice is another's fault, and is made one: that Resource is replaced.
	twice := td.ResourceSpans().AppendEmpty().Resource()
	twice.Attributes().PutStr("service.name", "shop")
	twice.Attributes().PutStr("app.host.ip", "::ffff:10.0.0.4")
	before := ptrace.NewTraces()
	td.CopyTo(before)

	require.NoError(t, r.ConsumeTraces(t.Context(), td))
	after := r.last(t)
	assert.Equal(t, []string{"10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"}, addresses(after))
	for _, spans := range before.ResourceSpans().All() {
		spans.Resource().Attributes().Remove("app.host.ip")
	}
	for _, spans := range after.ResourceSpans().All() {
		spans.Resource().Attributes().Remove("app.host.ip")
	}
	assert.Equal(t, marshalled(t, before), marshalled(t, after))
}

func marshalled(t *testing.T, td ptrace.Traces) string {
	text, err := (&ptrace.JSONMarshaler{}).MarshalTraces(td)
	require.NoError(t, err)
	return string(text)
}

func TestKindsThatWouldEndTheAgentAreClearedIfTheGuardSaysSo(t *testing.T) {
	for yaml, kept := range map[string]bool{"podstamp: {}": false, "podstamp: {guard: {clear_span_kind: false}}": true} {
		r := run(t, written(t, yaml))
		td := batchOf(map[string]any{"k8s.pod.ip": "10.0.0.1"})
		spans := td.ResourceSpans().At(0).ScopeSpans().At(0).Spans()
		for kind := range 9 {
			spans.AppendEmpty().SetKind(ptrace.SpanKind(kind - 1))
		}
		require.NoError(t, r.ConsumeTraces(t.Context(), td))
		strange := 0
		for _, span := range r.last(t).ResourceSpans().At(0).ScopeSpans().At(0).Spans().All() {
			if isStrange(span.Kind()) {
				strange++
			}
		}
		assert.Equal(t, kept, strange == 3, "%s: %d", yaml, strange)
		if kept {
			continue
		}
		assert.Equal(t, 0, strange)
		cleared, err := r.telemetry.GetMetric("otelcol_podstamp_guard_repairs")
		require.NoError(t, err)
		assert.Contains(t, fmt.Sprint(cleared), "kind_cleared")
		assert.Contains(t, fmt.Sprint(cleared), " 3 []")
	}
}

func TestWholeBatchesAreGuardedOnRequest(t *testing.T) {
	r := run(t, written(t, "guard_spans: true"))
	td := batchOf(map[string]any{"k8s.pod.ip": "10.0.0.1"})
	span := td.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0)
	span.Attributes().PutStr("net.peer.ip", "fd00::1")
	span.SetEndTimestamp(7_000_000_000_000_000_000)
	require.NoError(t, r.ConsumeTraces(t.Context(), td))
	span = r.last(t).ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0)
	assert.Equal(t, map[string]any{"net_peer_ip": "fd00::1"}, span.Attributes().AsRaw())
	assert.Less(t, span.EndTimestamp().AsTime().Unix(), int64(6_000_000_000))
	assert.Equal(t, []string{"10.0.0.1"}, addresses(r.last(t)))
}

func TestMetricsAndLogsAreStampedByThePipelineThatTheyHave(t *testing.T) {
	config := written(t, `
processors:
  k8sattributes: {passthrough: true}
  resource: {attributes: [{key: app.host.ip, action: insert, from_attribute: k8s.pod.ip}]}`)
	settings := metadatatest.NewSettings(componenttest.NewTelemetry())
	factory := NewFactory()
	metrics, logs := new(consumertest.MetricsSink), new(consumertest.LogsSink)
	ofMetrics, err := factory.CreateMetrics(t.Context(), settings, config, metrics)
	require.NoError(t, err)
	ofLogs, err := factory.CreateLogs(t.Context(), settings, config, logs)
	require.NoError(t, err)
	require.NoError(t, ofMetrics.Start(t.Context(), componenttest.NewNopHost()))
	require.NoError(t, ofLogs.Start(t.Context(), componenttest.NewNopHost()))

	md, ld := pmetric.NewMetrics(), plog.NewLogs()
	md.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics().AppendEmpty().SetName("requests")
	ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty().Body().SetStr("done")
	require.NoError(t, ofMetrics.ConsumeMetrics(from("10.1.2.3", nil), md))
	// One pipeline that ends leaves the other what they share.
	require.NoError(t, ofMetrics.Shutdown(t.Context()))
	require.NoError(t, ofMetrics.Shutdown(t.Context()))
	require.NoError(t, ofLogs.ConsumeLogs(from("10.1.2.4", nil), ld))
	require.NoError(t, ofLogs.Shutdown(t.Context()))
	assert.Equal(t, "10.1.2.3", addressOf(metrics.AllMetrics()[0].ResourceMetrics().At(0).Resource()))
	assert.Equal(t, "10.1.2.4", addressOf(logs.AllLogs()[0].ResourceLogs().At(0).Resource()))
	assert.Equal(t, "done", logs.AllLogs()[0].ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0).Body().Str())
}

func TestWhatIsCountedHasPodstampsNames(t *testing.T) {
	r := run(t, createDefaultConfig().(*Config))
	require.NoError(t, r.ConsumeTraces(from("10.1.2.3", nil), batchOf(nil)))
	for _, name := range []string{"signal_requests", "resources", "spans", "addresses", "filter_duration"} {
		_, err := r.telemetry.GetMetric("otelcol_podstamp_" + name)
		assert.NoError(t, err)
	}
	got, err := r.telemetry.GetMetric("otelcol_podstamp_addresses")
	require.NoError(t, err)
	assert.Contains(t, fmt.Sprint(got), "pipeline")
	started := r.logs.FilterMessage("filter ready").All()
	require.Len(t, started, 1)
	assert.Equal(t, guest.Version(wasm), started[0].ContextMap()["sha256"])
}

func TestTheFilterIsInterruptedWithoutTheRuntimesHelp(t *testing.T) {
	engine, err := guest.NewEngine(t.Context(), wasm, nil, guest.Limits{Time: time.Minute, Memory: 64 << 20}, "")
	require.NoError(t, err)
	assert.False(t, engine.IsSlow())
	assert.NoError(t, engine.Close())
}

func TestARefusedBatchIsPermanentWithItsCode(t *testing.T) {
	r := run(t, written(t, "timeout: 1m"))
	// More attributes than one request may have.
	many := map[string]any{}
	for number := range 200_000 {
		many[fmt.Sprintf("attribute.%d", number)] = "1"
	}
	td := batchOf(many)
	err := r.ConsumeTraces(t.Context(), td)
	require.Error(t, err)
	assert.True(t, consumererror.IsPermanent(err))
	assert.Equal(t, codes.InvalidArgument, status.Code(err), err)
	assert.Equal(t, 200_000, td.ResourceSpans().At(0).Resource().Attributes().Len(), "the batch is what it was")
	require.NoError(t, r.ConsumeTraces(from("10.1.2.3", nil), batchOf(nil)))
}

func TestTextsThatAreNotUTF8AreMended(t *testing.T) {
	r := run(t, createDefaultConfig().(*Config))
	require.NoError(t, r.ConsumeTraces(from("10.1.2.3", nil), batchOf(map[string]any{"broken": "caf\xc3"})))
	assert.Equal(t, []string{"10.1.2.3"}, addresses(r.last(t)))
	value, _ := r.last(t).ResourceSpans().At(0).Resource().Attributes().Get("broken")
	assert.Equal(t, "caf?", value.Str())
}

func TestAFailureOfTheFilterIsPermanentAndTheNextBatchPasses(t *testing.T) {
	for kind, fault := range map[string]guesttest.Fault{
		"trap": guesttest.Trap, "timeout": guesttest.Spin, "invalid_answer": guesttest.Garbage, "memory_limit": guesttest.Grow,
	} {
		t.Run(kind, func(t *testing.T) {
			faulty(t, guesttest.Module(guest.ABI, fault))
			config := createDefaultConfig().(*Config)
			config.MemoryLimitMiB = leastMemory
			config.Timeout = time.Minute
			if kind == "timeout" {
				config.Timeout = time.Second
			}
			r := run(t, config)
			err := r.ConsumeTraces(from("10.1.2.3", nil), batchOf(nil))
			require.Error(t, err)
			assert.True(t, consumererror.IsPermanent(err))
			assert.Equal(t, codes.Internal, status.Code(err), err)
			require.NoError(t, r.ConsumeTraces(t.Context(), batchOf(nil)))
			require.Len(t, r.sink.AllTraces(), 1)
			failures, err := r.telemetry.GetMetric("otelcol_podstamp_filter_failures")
			require.NoError(t, err)
			assert.Contains(t, fmt.Sprint(failures), kind)
			require.Len(t, r.logs.FilterField(zap.String("kind", "filter-"+kind)).All(), 1)
		})
	}
}

func TestAHugeBatchIsStampedOrRefusedAndTheNextOnePasses(t *testing.T) {
	config := createDefaultConfig().(*Config)
	config.Timeout = time.Minute
	config.MemoryLimitMiB = leastMemory
	r := run(t, config)
	td := batchOf(map[string]any{"k8s.pod.ip": "10.0.0.1", "text": strings.Repeat("x", 24<<20)})
	err := r.ConsumeTraces(t.Context(), td)
	require.Error(t, err)
	assert.Equal(t, codes.Internal, status.Code(err), err)
	assert.Contains(t, err.Error(), "memory_limit_mib")
	require.NoError(t, r.ConsumeTraces(from("10.1.2.3", nil), batchOf(nil)))
	assert.Equal(t, []string{"10.1.2.3"}, addresses(r.last(t)))
}

func TestManyBatchesAtOnceEachGetTheirOwnAddress(t *testing.T) {
	r := run(t, written(t, "instances: 2"))
	var group sync.WaitGroup
	for worker := range 6 {
		group.Go(func() {
			for number := range 50 {
				ip := fmt.Sprintf("10.%d.0.%d", worker, number+1)
				td := batchOf(map[string]any{"sender": ip})
				assert.NoError(t, r.ConsumeTraces(from(ip, nil), td))
			}
		})
	}
	group.Wait()
	require.Len(t, r.sink.AllTraces(), 300)
	for _, td := range r.sink.AllTraces() {
		sender, _ := td.ResourceSpans().At(0).Resource().Attributes().Get("sender")
		assert.Equal(t, []string{sender.Str()}, addresses(td))
	}
}
