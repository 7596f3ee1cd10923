package podstampprocessor

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/consumer/consumererror"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/podstamp/podstamp/collector/podstampprocessor/internal/guest"
	"github.com/podstamp/podstamp/collector/podstampprocessor/internal/records"
)

func TestAnAnswerIsAnErrorWithTheCodeThatReceiversMakeTheSameStatusOf(t *testing.T) {
	body, err := proto.Marshal(&spb.Status{Code: 3, Message: "it is cut off"})
	require.NoError(t, err)
	for answered, expected := range map[uint16]struct {
		code        codes.Code
		isPermanent bool
	}{
		400: {codes.InvalidArgument, true}, 413: {codes.InvalidArgument, true}, 415: {codes.InvalidArgument, true},
		401: {codes.Unauthenticated, true}, 403: {codes.PermissionDenied, true}, 404: {codes.Unimplemented, true},
		429: {codes.ResourceExhausted, false}, 500: {codes.Internal, true}, 502: {codes.Unavailable, false},
		503: {codes.Unavailable, false}, 504: {codes.Unavailable, false},
	} {
		// As the Collector wraps it on the way.
		err := fmt.Errorf("downstream: %w", refusal(&records.Answer{Status: answered, Body: body}))
		assert.Equal(t, expected.code, status.Code(err), answered)
		assert.Equal(t, expected.isPermanent, consumererror.IsPermanent(err), answered)
		assert.ErrorContains(t, err, "it is cut off")
	}
	assert.NoError(t, refusal(&records.Answer{Status: 200}))
	assert.EqualError(t, refusal(&records.Answer{Status: 400, Body: []byte("no status")}), "Bad Request")
}

func TestOnlyABusyFilterIsWorthAnotherTry(t *testing.T) {
	for _, kind := range []guest.Kind{guest.Trap, guest.Timeout, guest.MemoryLimit, guest.InvalidAnswer} {
		err := fault(&guest.Failure{Kind: kind, Call: "podstamp_prepare"})
		assert.True(t, consumererror.IsPermanent(err))
		assert.Equal(t, codes.Internal, status.Code(err))
	}
	err := fault(&guest.Failure{Kind: guest.Busy})
	assert.False(t, consumererror.IsPermanent(err))
	assert.Equal(t, codes.Unavailable, status.Code(err))
}
