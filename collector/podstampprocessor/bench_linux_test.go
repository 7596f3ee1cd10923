package podstampprocessor

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/processor/processortest"

	"github.com/podstamp/podstamp/collector/podstampprocessor/internal/metadata"
)

// BenchmarkBatch holds the processor against what a Collector does to each batch in any case: reading it and writing it. What it
// reports as processor-us is the processor's part of cpu-us.
func BenchmarkBatch(b *testing.B) {
	text := fmt.Sprintf("podstamp-pods 2\tfull\t7.1\tcluster\t50\t%s\n", cells)
	for pod := range 50 {
		text += fmt.Sprintf("%d\tshop-%d\t10.244.1.%d\t2026-11-20T08:00:00Z\tuid-%d\n", pod, pod, pod+1, pod)
	}
	central := httptest.NewServer(http.HandlerFunc(func(response http.ResponseWriter, _ *http.Request) {
		_, _ = response.Write([]byte(text))
	}))
	defer central.Close()
	for _, pods := range []int{1, 50} {
		body, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(batchFrom(pods, 1000))
		require.NoError(b, err)
		for name, yaml := range map[string]string{
			"none": "", "podstamp": "instances: 1", "podstamp-with-pods": fmt.Sprintf("pods: {endpoint: %q}", central.URL),
			"podstamp-guard-spans": "guard_spans: true",
		} {
			b.Run(fmt.Sprintf("%s/resources=%d", name, pods), func(b *testing.B) { benchmark(b, body, yaml) })
		}
	}
}

func benchmark(b *testing.B, body []byte, yaml string) {
	consume := consumertest.NewNop().ConsumeTraces
	if yaml != "" {
		made, err := NewFactory().CreateTraces(b.Context(), processortest.NewNopSettings(metadata.Type), written(b, yaml), consumertest.NewNop())
		require.NoError(b, err)
		require.NoError(b, made.Start(b.Context(), componenttest.NewNopHost()))
		defer func() { require.NoError(b, made.Shutdown(b.Context())) }()
		consume = made.ConsumeTraces
		if strings.Contains(yaml, "pods") {
			time.Sleep(100 * time.Millisecond)
		}
	}
	// Time of this thread alone: what else runs on the machine does not count.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var all, processor time.Duration
	ctx := from("10.244.1.1", nil)
	for b.Loop() {
		begun := used()
		td, err := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(body)
		require.NoError(b, err)
		before := used()
		require.NoError(b, consume(ctx, td))
		processor += used() - before
		_, err = (&ptrace.ProtoMarshaler{}).MarshalTraces(td)
		require.NoError(b, err)
		all += used() - begun
	}
	b.ReportMetric(float64(all.Nanoseconds())/1000/float64(b.N), "cpu-us/op")
	b.ReportMetric(float64(processor.Nanoseconds())/1000/float64(b.N), "processor-us/op")
}

// used is the time that the thread has had of the processor.
func used() time.Duration {
	const threadCPUTime = 3
	var spec syscall.Timespec
	_, _, _ = syscall.Syscall(syscall.SYS_CLOCK_GETTIME, threadCPUTime, uintptr(unsafe.Pointer(&spec)), 0)
	return time.Duration(spec.Nano())
}
