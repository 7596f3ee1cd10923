package podstampprocessor

import (
	"errors"
	"net/http"

	"go.opentelemetry.io/collector/consumer/consumererror"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/podstamp/podstamp/collector/podstampprocessor/internal/guest"
	"github.com/podstamp/podstamp/collector/podstampprocessor/internal/records"
)

// refusal is the error for a batch that the filter does not let pass; nil where its answer is one of success.
func refusal(answer *records.Answer) error {
	if answer.Status/100 == 2 {
		return nil
	}
	var said spb.Status
	if err := proto.Unmarshal(answer.Body, &said); err != nil || said.Message == "" {
		said.Reset()
		said.Message = http.StatusText(int(answer.Status))
	}
	// The code that the receiver makes the same status of.
	said.Code = int32(codeOf(answer.Status))
	return told(status.FromProto(&said), !isRetryable(answer.Status))
}

// toldError is what a client is told. Receivers make of the code what their client gets: the OTLP receiver answers 400 to
// InvalidArgument.
type toldError struct {
	status *status.Status
	// permanent marks an error that nobody is to try again.
	permanent error
}

func told(status *status.Status, isPermanent bool) error {
	made := &toldError{status: status}
	if isPermanent {
		made.permanent = consumererror.NewPermanent(errors.New(status.Message()))
	}
	return made
}

// Error is the message alone: what wraps it is not for clients.
func (e *toldError) Error() string { return e.status.Message() }

// GRPCStatus is where receivers find the code and the details.
func (e *toldError) GRPCStatus() *status.Status { return e.status }

// Unwrap is where pipelines find out whether to try again.
func (e *toldError) Unwrap() error { return e.permanent }

func isRetryable(status uint16) bool {
	switch status {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

func codeOf(status uint16) codes.Code {
	switch status {
	case http.StatusUnauthorized:
		return codes.Unauthenticated
	case http.StatusForbidden:
		return codes.PermissionDenied
	case http.StatusNotFound:
		return codes.Unimplemented
	case http.StatusTooManyRequests:
		return codes.ResourceExhausted
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return codes.Unavailable
	}
	if status/100 == 4 {
		return codes.InvalidArgument
	}
	return codes.Internal
}

// fault is the error for a batch on which the filter failed. It would fail again, unless it was only busy.
func fault(failure *guest.Failure) error {
	message := "podstamp: " + failure.Error()
	if failure.Kind == guest.Busy {
		return told(status.New(codes.Unavailable, message), false)
	}
	return told(status.New(codes.Internal, message), true)
}

// asFailure finds why a call gave no answer: the filter's failure, or what it gave cannot be carried out.
func asFailure(err error) *guest.Failure {
	var failure *guest.Failure
	if errors.As(err, &failure) {
		return failure
	}
	if errors.Is(err, records.ErrMalformed) {
		return &guest.Failure{Kind: guest.InvalidAnswer, Call: "podstamp_prepare", Err: err}
	}
	return nil
}
