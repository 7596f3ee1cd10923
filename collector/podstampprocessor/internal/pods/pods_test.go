package pods

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/podstamp/podstamp/collector/podstampprocessor/internal/records"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestTheFirstLineOfATextIsRead(t *testing.T) {
	for text, expected := range map[string]header{
		"podstamp-pods 2\tfull\t9.17\tcluster\t2\tslot\n...": {all: true, version: "9.17"},
		"podstamp-pods 2\tfull\t\tpart\t0\tname\n":           {all: true},
		"podstamp-pods 2\tdelta 17 2\t9.19\tcluster\t2\n":    {version: "9.19", lines: 2},
	} {
		read, err := readHeader([]byte(text))
		require.NoError(t, err, text)
		assert.Equal(t, expected, read)
	}
	for _, text := range []string{
		"", "podstamp-pods 2", "podstamp-pods 2\tfull\t9.17\tcluster\t2", "<html>\n", "podstamp-pods 2\tdelta\t9.1\n",
		"podstamp-pods 2\tdelta 1 x\t9.1\n", "podstamp-pods 2\tdelta 1 -1\t9.1\n", "podstamp-pods 2\tfull\n", strings.Repeat("x", 2<<20),
	} {
		_, err := readHeader([]byte(text))
		assert.Error(t, err, "%.40q", text)
	}
}

func TestWaitsGrowUpToALimitAndBeginAnew(t *testing.T) {
	waits := backoff{}
	for _, expected := range []time.Duration{1, 2, 4, 8, 16, 30, 30, 30, 30, 30, 30, 30, 30} {
		wait := waits.next(0)
		assert.GreaterOrEqual(t, wait, expected*time.Second/2)
		assert.Less(t, wait, expected*time.Second*3/2)
	}
	waits.reset()
	assert.Less(t, waits.next(0), 2*time.Second)
	assert.GreaterOrEqual(t, waits.next(20*time.Second), 10*time.Second)
}

// table takes what comes, or finds fault with it.
type table struct {
	lock   sync.Mutex
	texts  []string
	fault  error
	wants  bool
	failed []Missing
	loaded []bool
}

func (t *table) Feed(_ context.Context, text []byte, _ bool) (records.PodsState, error) {
	t.lock.Lock()
	defer t.lock.Unlock()
	t.texts = append(t.texts, string(text))
	words := strings.Split(string(text), "\t")
	return records.PodsState{Pods: 2, Version: words[2]}, t.fault
}

func (t *table) WantsAll() bool { return t.wants }

func (t *table) Loaded(_ uint32, again bool) { t.loaded = append(t.loaded, again) }
func (t *table) Changed(int)                 {}
func (t *table) Failed(missing *Missing)     { t.failed = append(t.failed, *missing) }

// asked has a source ask once for each answer, and gives the questions.
func asked(t *testing.T, table *table, answers ...string) (*Source, []string, []*Missing) {
	t.Helper()
	var questions []string
	server := httptest.NewServer(http.HandlerFunc(func(response http.ResponseWriter, request *http.Request) {
		answer := answers[len(questions)]
		questions = append(questions, request.URL.String())
		if code, ok := map[string]int{"401": 401, "403": 403, "503": 503}[answer]; ok {
			response.Header().Set("Retry-After", "7")
			http.Error(response, "not now", code)
			return
		}
		_, _ = response.Write([]byte(answer))
	}))
	defer server.Close()
	source := &Source{Client: server.Client(), URL: server.URL + "/pods?fields=uid", Wait: 50 * time.Second, Table: table, Observer: table}
	var all []*Missing
	for range answers {
		all = append(all, source.ask(t.Context()))
	}
	return source, questions, all
}

const (
	full    = "podstamp-pods 2\tfull\t9.1\tcluster\t2\tslot\n"
	changed = "podstamp-pods 2\tdelta 1 1\t9.2\tcluster\t2\tslot\n0\n"
	nothing = "podstamp-pods 2\tdelta 2 0\t9.2\tcluster\t2\tslot\n"
)

func TestAQuestionNamesTheVersionThatIsKnownAndWaits(t *testing.T) {
	known := &table{}
	source, questions, missing := asked(t, known, full, changed, nothing)
	assert.Equal(t, []string{"/pods?fields=uid", "/pods?fields=uid&since=9.1&wait=50", "/pods?fields=uid&since=9.2&wait=50"}, questions)
	assert.Equal(t, []*Missing{nil, nil, nil}, missing)
	assert.Equal(t, []string{full, changed}, known.texts, "what says nothing new goes to nobody")
	assert.True(t, source.Loaded() && source.Connected())
	assert.Equal(t, int64(2), source.Pods())
	assert.Less(t, source.Age(), time.Minute)
	assert.Equal(t, []bool{false}, known.loaded)
}

func TestAfterAFaultAllPodsAreAskedFor(t *testing.T) {
	_, questions, missing := asked(t, &table{}, full, "<html>", full)
	assert.Equal(t, "invalid", missing[1].Reason)
	assert.Equal(t, "/pods?fields=uid", questions[2])

	faulty := &table{fault: records.PodsFault("it ends early")}
	_, questions, missing = asked(t, faulty, full, full)
	assert.Equal(t, "invalid", missing[0].Reason)
	assert.Contains(t, missing[0].Message, "it ends early")
	assert.Equal(t, "/pods?fields=uid", questions[1])

	busy := &table{fault: errors.New("all are busy")}
	_, _, missing = asked(t, busy, full)
	assert.Equal(t, "filter", missing[0].Reason)

	_, questions, _ = asked(t, &table{wants: true}, full, full)
	assert.Equal(t, "/pods?fields=uid", questions[1])
}

func TestARefusalSaysWhyAndHowLongToWait(t *testing.T) {
	for status, reason := range map[string]string{"401": "unauthorized", "403": "forbidden", "503": "status"} {
		_, _, missing := asked(t, &table{}, status)
		assert.Equal(t, reason, missing[0].Reason)
		assert.Equal(t, 7*time.Second, missing[0].After)
		assert.Equal(t, "it answers "+status+": not now", missing[0].Message)
	}
}

func TestATextWithoutAVersionIsReadOnceAndAskedForSeldom(t *testing.T) {
	known := &table{}
	text := "podstamp-pods 2\tfull\t\tcluster\t2\tname\n"
	source, questions, _ := asked(t, known, text, text)
	assert.Equal(t, []string{"/pods?fields=uid", "/pods?fields=uid"}, questions)
	assert.Len(t, known.texts, 1)
	assert.Equal(t, withoutWait, source.least())
}

func TestKindsOfFailuresAreToldApart(t *testing.T) {
	secure := httptest.NewTLSServer(http.NotFoundHandler())
	defer secure.Close()
	source := &Source{Client: &http.Client{}, URL: secure.URL, Table: &table{}}
	defer source.Client.CloseIdleConnections()
	assert.Equal(t, "tls", source.ask(t.Context()).Reason)

	source.URL = strings.Replace(secure.URL, "https", "http", 1)
	assert.NotNil(t, source.ask(t.Context()))

	source.URL = "http://127.0.0.1:1"
	assert.Equal(t, "unreachable", source.ask(t.Context()).Reason)

	source.URL = "http://[bad"
	assert.Equal(t, "config", source.ask(t.Context()).Reason)

	assert.Equal(t, "broken", unanswered(errors.New("EOF"), time.Second).Reason)
	assert.Equal(t, "silent", unanswered(context.DeadlineExceeded, time.Second).Reason)
}
