package pods

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Missing is why no pods could be had.
type Missing struct {
	// Reason is the kind, by the name that podstamp_pods_source_failures has for it.
	Reason string
	// Message is for people.
	Message string
	// After is how long the other side asks to wait.
	After time.Duration
}

const (
	// answerTime is for an answer to begin and to end, after the time that the question waits. The text of 100,000 pods is written
	// in under a second; many may ask at once.
	answerTime = 30 * time.Second
	// maxText is some 500,000 pods, more than an instance has memory for by default.
	maxText = 256 << 20
	// maxSaid is for a refusal.
	maxSaid = 4 << 10
)

// get asks, and gives the text. The other side may take wait to answer.
func (s *Source) get(ctx context.Context, url string, wait time.Duration) ([]byte, *Missing) {
	limit := wait + answerTime
	bounded, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	request, err := http.NewRequestWithContext(bounded, http.MethodGet, url, nil)
	if err != nil {
		return nil, &Missing{Reason: "config", Message: err.Error()}
	}
	response, err := s.Client.Do(request)
	if err != nil {
		return nil, unanswered(err, limit)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		said, _ := io.ReadAll(io.LimitReader(response.Body, maxSaid))
		return nil, refused(response, strings.TrimSpace(string(said)))
	}
	text, err := io.ReadAll(io.LimitReader(response.Body, maxText+1))
	switch {
	case err != nil && bounded.Err() != nil:
		return nil, unanswered(err, limit)
	case err != nil:
		return nil, &Missing{Reason: "broken", Message: fmt.Sprintf("its answer broke off: %v", err)}
	case len(text) > maxText:
		return nil, &Missing{Reason: "invalid", Message: fmt.Sprintf("its answer has more than %d bytes", maxText)}
	}
	return text, nil
}

func refused(response *http.Response, said string) *Missing {
	missing := &Missing{Reason: "status", Message: fmt.Sprintf("it answers %d: %s", response.StatusCode, said)}
	switch response.StatusCode {
	case http.StatusUnauthorized:
		missing.Reason = "unauthorized"
	case http.StatusForbidden:
		missing.Reason = "forbidden"
	}
	if seconds, err := strconv.Atoi(response.Header.Get("Retry-After")); err == nil && seconds > 0 {
		missing.After = time.Duration(min(seconds, int(longestWait.Seconds()))) * time.Second
	}
	return missing
}

// unanswered tells why there is no answer.
func unanswered(err error, limit time.Duration) *Missing {
	var (
		timeout   net.Error
		dial      *net.OpError
		record    tls.RecordHeaderError
		authority x509.UnknownAuthorityError
		name      x509.HostnameError
		expired   x509.CertificateInvalidError
		alert     tls.AlertError
	)
	switch {
	case errors.As(err, &record), errors.As(err, &authority), errors.As(err, &name), errors.As(err, &expired), errors.As(err, &alert):
		return &Missing{Reason: "tls", Message: err.Error()}
	case errors.As(err, &dial) && dial.Op == "dial":
		return &Missing{Reason: "unreachable", Message: err.Error()}
	case errors.As(err, &timeout) && timeout.Timeout():
		return &Missing{Reason: "silent", Message: fmt.Sprintf("no answer within %s", limit)}
	}
	return &Missing{Reason: "broken", Message: err.Error()}
}

// backoff makes waits longer after each failure, and spreads them: not all who lost the same podstamp ask at the same moment.
type backoff struct{ failures int }

const (
	// firstWait is what a podstamp that restarts takes.
	firstWait = time.Second
	// longestWait is that of client-go. The pods that are known grow old meanwhile.
	longestWait = 30 * time.Second
)

func (b *backoff) reset() { b.failures = 0 }

// next is between half and one and a half of what it would be without spreading.
func (b *backoff) next(asked time.Duration) time.Duration {
	grown := min(firstWait<<min(b.failures, 10), longestWait)
	b.failures++
	return time.Duration(float64(max(grown, asked)) * (0.5 + rand.Float64()))
}
