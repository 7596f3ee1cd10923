package podstampprocessor

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// central is a podstamp that tells its pods, whose addresses are all of 10.0.0.0/24.
type central struct {
	*httptest.Server
	lock      sync.Mutex
	version   int
	pods      []int
	changed   chan struct{}
	questions []string
	broken    func(http.ResponseWriter)
}

func newCentral(t *testing.T, pods ...int) *central {
	c := &central{pods: pods, version: 1, changed: make(chan struct{})}
	c.Server = httptest.NewServer(c)
	t.Cleanup(c.Close)
	return c
}

const cells = "slot\tname\tips\tcreated\tuid\tnode_ips\tstarted\tflags"

func (c *central) line(slot int) string {
	return fmt.Sprintf("%d\tpod-%d\t10.0.0.%d\t2026-11-20T08:00:00Z\tuid-%d\n", slot, slot, c.pods[slot], slot)
}

// ServeHTTP answers GET /pods as podstamp's admin listener does.
func (c *central) ServeHTTP(response http.ResponseWriter, request *http.Request) {
	c.lock.Lock()
	defer c.lock.Unlock()
	c.questions = append(c.questions, request.URL.String())
	query := request.URL.Query()
	if c.broken != nil {
		c.broken(response)
		return
	}
	if request.URL.Path != "/pods" || query.Get("fields") == "" {
		response.WriteHeader(http.StatusNotFound)
		return
	}
	since := 0
	_, _ = fmt.Sscanf(query.Get("since"), "7.%d", &since)
	if since == c.version && query.Get("wait") != "0" {
		changed := c.changed
		c.lock.Unlock()
		select {
		case <-changed:
		case <-request.Context().Done():
		}
		c.lock.Lock()
	}
	if since == 0 {
		_, _ = fmt.Fprintf(response, "podstamp-pods 2\tfull\t7.%d\tcluster\t%d\t%s\n", c.version, len(c.pods), cells)
		for slot := range c.pods {
			_, _ = response.Write([]byte(c.line(slot)))
		}
		return
	}
	// Only the first pod ever changes.
	lines := min(c.version-since, 1)
	_, _ = fmt.Fprintf(response, "podstamp-pods 2\tdelta %d %d\t7.%d\tcluster\t%d\t%s\n", since, lines, c.version, len(c.pods), cells)
	if lines > 0 {
		_, _ = response.Write([]byte(c.line(0)))
	}
}

// move gives the first pod another address.
func (c *central) move(address int) {
	c.lock.Lock()
	defer c.lock.Unlock()
	c.pods[0] = address
	c.version++
	close(c.changed)
	c.changed = make(chan struct{})
}

func (c *central) answer(broken func(http.ResponseWriter)) {
	c.lock.Lock()
	defer c.lock.Unlock()
	c.broken = broken
	close(c.changed)
	c.changed = make(chan struct{})
}

func (c *central) asked() []string {
	c.lock.Lock()
	defer c.lock.Unlock()
	return append([]string(nil), c.questions...)
}

func following(t *testing.T, c *central) *running {
	return run(t, written(t, fmt.Sprintf("pods: {endpoint: %q, interval: 1ms}\ninstances: 3", c.URL)))
}

// stamped waits until batches of a pod get an address.
func stamped(t *testing.T, r *running, pod int, address string) {
	t.Helper()
	require.Eventually(t, func() bool {
		// Several at a time, so that more than one instance has to know.
		var group sync.WaitGroup
		var batches [4]ptrace.Traces
		for place := range batches {
			batches[place] = batchOf(map[string]any{"host.name": fmt.Sprintf("pod-%d", pod)})
			group.Go(func() { assert.NoError(t, r.ConsumeTraces(t.Context(), batches[place])) })
		}
		group.Wait()
		for _, td := range batches {
			if addresses(td)[0] != address {
				return false
			}
		}
		return true
	}, time.Minute, time.Millisecond)
}

func TestPodsComeAndWhatChangesWithThem(t *testing.T) {
	c := newCentral(t, 20, 21)
	r := following(t, c)
	stamped(t, r, 0, "10.0.0.20")
	stamped(t, r, 1, "10.0.0.21")
	for address := 30; address < 40; address++ {
		c.move(address)
		stamped(t, r, 0, fmt.Sprintf("10.0.0.%d", address))
	}
	stamped(t, r, 1, "10.0.0.21")
	all := 0
	for _, question := range c.asked() {
		if !strings.Contains(question, "since=") {
			all++
		}
	}
	assert.Equal(t, 1, all, "%q", c.asked())
	for _, name := range []string{"pods", "pods_age", "pods_loaded", "pods_connected", "pods_changes"} {
		_, err := r.telemetry.GetMetric("otelcol_podstamp_" + name)
		assert.NoError(t, err)
	}
	pods, err := r.telemetry.GetMetric("otelcol_podstamp_pods")
	require.NoError(t, err)
	assert.Contains(t, fmt.Sprint(pods), " 2 []")
}

func TestThePodsFromBeforeStayWhileNoneCanBeHad(t *testing.T) {
	for reason, broken := range map[string]func(http.ResponseWriter){
		"status":       func(response http.ResponseWriter) { response.WriteHeader(http.StatusServiceUnavailable) },
		"unauthorized": func(response http.ResponseWriter) { response.WriteHeader(http.StatusUnauthorized) },
		"forbidden":    func(response http.ResponseWriter) { response.WriteHeader(http.StatusForbidden) },
		"invalid":      func(response http.ResponseWriter) { _, _ = response.Write([]byte("<html>\n")) },
		"broken": func(response http.ResponseWriter) {
			connection, _, _ := response.(http.Hijacker).Hijack()
			_ = connection.Close()
		},
	} {
		t.Run(reason, func(t *testing.T) {
			c := newCentral(t, 20)
			r := following(t, c)
			stamped(t, r, 0, "10.0.0.20")
			c.answer(broken)
			// What is counted is not yet logged.
			require.Eventually(t, func() bool {
				failures, err := r.telemetry.GetMetric("otelcol_podstamp_pods_source_failures")
				said := r.logs.FilterMessageSnippet("no pods from " + c.URL + " (pods.endpoint): ")
				return err == nil && strings.Contains(fmt.Sprint(failures), reason) && said.FilterMessageSnippet("the 1 pods of").Len() > 0
			}, time.Minute, time.Millisecond)
			stamped(t, r, 0, "10.0.0.20")
			c.answer(nil)
			c.move(22)
			stamped(t, r, 0, "10.0.0.22")
		})
	}
}

func TestATextThatTheFilterCannotReadChangesNothingAndAllPodsAreAskedFor(t *testing.T) {
	c := newCentral(t, 20)
	r := following(t, c)
	stamped(t, r, 0, "10.0.0.20")
	// A delta of another table.
	c.answer(func(response http.ResponseWriter) {
		_, _ = fmt.Fprintf(response, "podstamp-pods 2\tdelta 90 1\t7.91\tcluster\t5\t%s\n0\n", cells)
	})
	require.Eventually(t, func() bool {
		return r.logs.FilterMessageSnippet("what it sends is no list of pods").Len() > 0
	}, time.Minute, time.Millisecond)
	stamped(t, r, 0, "10.0.0.20")
	c.answer(nil)
	c.move(23)
	stamped(t, r, 0, "10.0.0.23")
}

func TestNobodyIsAskedForPodsThatNoRuleNeedsOrWhereNobodyIsNamed(t *testing.T) {
	c := newCentral(t, 20)
	r := run(t, written(t, fmt.Sprintf("pods: {endpoint: %q}\npodstamp: {guard: {enabled: false}}\nprocessors: {resource: {attributes: [{key: a, action: insert, value: b}]}}", c.URL)))
	require.NoError(t, r.ConsumeTraces(t.Context(), batchOf(nil)))
	assert.Empty(t, c.asked())
	assert.Equal(t, 1, r.logs.FilterMessageSnippet("pods.endpoint is not used").Len())

	r = run(t, written(t, "processors: {k8sattributes: {}}"))
	assert.Equal(t, 1, r.logs.FilterMessageSnippet("no pods are known here").Len())
}

func TestPodsThatNeverComeHoldNobodyUp(t *testing.T) {
	c := newCentral(t)
	c.Close()
	r := run(t, written(t, fmt.Sprintf("pods: {endpoint: %q}", c.URL)))
	require.NoError(t, r.ConsumeTraces(from("10.1.2.3", nil), batchOf(nil)))
	assert.Equal(t, []string{"10.1.2.3"}, addresses(r.last(t)))
	require.Eventually(t, func() bool {
		failures, err := r.telemetry.GetMetric("otelcol_podstamp_pods_source_failures")
		return err == nil && strings.Contains(fmt.Sprint(failures), "unreachable")
	}, time.Minute, time.Millisecond)
}

func TestBatchesWaitForThePodsOnRequest(t *testing.T) {
	for _, more := range []string{"", "\nguard_spans: true"} {
		c := newCentral(t, 20)
		c.answer(func(response http.ResponseWriter) { response.WriteHeader(http.StatusServiceUnavailable) })
		r := run(t, written(t, fmt.Sprintf("pods: {endpoint: %q}\nprocessors: {k8sattributes: {wait_for_metadata: true}}%s", c.URL, more)))
		err := r.ConsumeTraces(t.Context(), batchOf(nil))
		assert.Equal(t, codes.Unavailable, status.Code(err))
		assert.False(t, consumererror.IsPermanent(err))
		assert.Empty(t, r.sink.AllTraces())
		c.answer(nil)
		require.Eventually(t, func() bool {
			return r.ConsumeTraces(t.Context(), batchOf(map[string]any{"k8s.pod.ip": "10.0.0.20"})) == nil
		}, time.Minute, time.Millisecond)
		assert.Equal(t, []string{"10.0.0.20"}, addresses(r.last(t)))
	}
}
