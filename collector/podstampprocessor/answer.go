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

// refusal is the error for a batch that the filter does not let pass; nil where its answer is one of success. Receivers make of its
// code what their client gets: the OTLP receiver answers 400 to InvalidArgument. One that clients may try again is not permanent.
func refusal(answer *records.Answer) error {
	if answer.Status/100 == 2 {
		return nil
	}
	var said spb.Status
	if err := proto.Unmarshal(answer.Body, &said); err != nil || said.Message == "" {
		said = spb.Status{Message: http.StatusText(int(answer.Status))}
	}
	// The code that the receiver makes the same status of.
	said.Code = int32(codeOf(answer.Status))
	err := status.FromProto(&said).Err()
	if isRetryable(answer.Status) {
		return err
	}
	return consumererror.NewPermanent(err)
}

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
	if failure.Kind == guest.Busy {
		return status.Error(codes.Unavailable, "podstamp: "+failure.Error())
	}
	return consumererror.NewPermanent(status.Error(codes.Internal, "podstamp: "+failure.Error()))
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
