package podstampprocessor

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/podstamp/podstamp/collector/podstampprocessor/internal/guest"
)

// counted is a metric with all its numbers, as text, without times.
func counted(t *testing.T, r *running, name string) string {
	t.Helper()
	got, err := r.telemetry.GetMetric("otelcol_podstamp_" + name)
	require.NoError(t, err)
	var numbers []string
	for _, word := range strings.Fields(fmt.Sprint(got.Data)) {
		if !strings.Contains(word, ":") && !strings.Contains(word, "2026") && !strings.Contains(word, "m=") {
			numbers = append(numbers, word)
		}
	}
	return strings.Join(numbers, " ")
}

func TestWhatIsRememberedIsWhatTheFilterSays(t *testing.T) {
	r := run(t, written(t, "timeout: 1m"))
	// More than are asked about one by one, and all kinds of changes.
	batch := func() ptrace.Traces {
		td := ptrace.NewTraces()
		for number := range 3 * maxNew {
			entry := td.ResourceSpans().AppendEmpty()
			attributes := entry.Resource().Attributes()
			switch number % 4 {
			case 0:
				attributes.PutStr("k8s.pod.ip", fmt.Sprintf("10.0.0.%d", number+1))
			case 1:
				attributes.PutStr("app.host.ip", fmt.Sprintf("::ffff:10.0.0.%d", number+1))
			case 2:
				attributes.PutStr("app.host.ip", fmt.Sprintf("10.0.0.%d", number+1))
			case 3:
				attributes.PutInt("number", int64(number))
			}
			entry.ScopeSpans().AppendEmpty().Spans().AppendEmpty().SetKind(ptrace.SpanKind(number % 7))
		}
		return td
	}
	var first ptrace.Traces
	for round := range 6 {
		td := batch()
		require.NoError(t, r.ConsumeTraces(from("10.1.2.3", nil), td))
		if round == 0 {
			first = td
			continue
		}
		assert.Equal(t, marshalled(t, first), marshalled(t, td))
	}
	list := addresses(first)
	assert.Equal(t, []string{"10.0.0.1", "10.0.0.2", "10.0.0.3", "10.1.2.3"}, list[:4])
	for name, expected := range map[string]int{"kept": 72, "pipeline": 72, "kind_cleared": 18, "address_normalised": 36} {
		metric := "addresses"
		if strings.Contains(name, "_") {
			metric = "guard_repairs"
		}
		assert.Regexp(t, fmt.Sprintf(`%s <nil>.* %d \[\]`, name, expected), counted(t, r, metric))
	}
}

func TestAnotherSenderIsAnotherDecision(t *testing.T) {
	r := run(t, written(t, "podstamp: {trusted_proxies: [10.9.0.1]}"))
	for range 3 {
		for number := range 4 {
			ip := fmt.Sprintf("10.1.0.%d", number+1)
			require.NoError(t, r.ConsumeTraces(from(ip, nil), batchOf(nil)))
			assert.Equal(t, []string{ip}, addresses(r.last(t)))
			headers := map[string][]string{"x-forwarded-for": {ip}}
			require.NoError(t, r.ConsumeTraces(from("10.9.0.1", headers), batchOf(nil)))
			assert.Equal(t, []string{ip}, addresses(r.last(t)))
		}
	}
}

// A pod that has ended had its address until the next one got it: there it matters when spans ended, however often they come.
func TestWhenSpansEndedIsNotForgottenWhereAnAddressHasChangedItsPod(t *testing.T) {
	text := "podstamp-pods 2\tfull\t7.1\tcluster\t2\t" + cells + "\n" +
		"0\told\t10.0.0.20\t2026-11-20T08:00:00Z\tuid-0\t\t\tf\n" +
		"1\tnew\t10.0.0.20\t2026-11-20T10:00:00Z\tuid-1\n"
	c := newCentral(t)
	c.answer(func(response http.ResponseWriter) { _, _ = response.Write([]byte(text)) })
	r := following(t, c)
	stamped(t, r, 0, "0.0.0.0")
	require.Eventually(t, func() bool { return r.logs.FilterMessage("pods loaded").Len() > 0 }, time.Minute, time.Millisecond)
	at := func(pod, clock string) string {
		td := batchOf(map[string]any{"host.name": pod})
		end, err := time.Parse(time.TimeOnly, clock)
		require.NoError(t, err)
		end = time.Date(2026, 11, 20, end.Hour(), end.Minute(), end.Second(), 0, time.UTC)
		td.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0).SetEndTimestamp(pcommon.NewTimestampFromTime(end))
		require.NoError(t, r.ConsumeTraces(t.Context(), td))
		return addresses(td)[0]
	}
	for range 4 {
		assert.Equal(t, "10.0.0.20", at("old", "09:00:00"))
		assert.Equal(t, "0.0.0.0", at("old", "11:00:00"))
		assert.Equal(t, "10.0.0.20", at("new", "11:00:00"))
	}
}

func TestMemoryHasAnEndAndKeepsWhatIsAskedFor(t *testing.T) {
	var m memory
	pods := guest.State{}
	large := strings.Repeat("x", 64<<10)
	for number := range 1000 {
		m.keep(pods, []byte(fmt.Sprintf("%s %d", large, number)), decided{})
		m.keep(pods, []byte("often"), decided{counts: []count{{of: 1, met: 1}}})
		found, ok := m.find(pods, []byte("often"))
		require.True(t, ok)
		require.Len(t, found.counts, 1)
	}
	assert.Less(t, len(m.young)+len(m.old), 2*maxRemembered/(64<<10)+4)
	_, ok := m.find(pods, []byte(large+" 1"))
	assert.False(t, ok)
	_, ok = m.find(pods, []byte(large+" 999"))
	assert.True(t, ok)
}

func BenchmarkMemory(b *testing.B) {
	var m memory
	key := []byte(strings.Repeat("x", 500))
	m.keep(guest.State{}, key, decided{})
	for b.Loop() {
		m.find(guest.State{}, key)
	}
}
