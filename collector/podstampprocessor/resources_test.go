package podstampprocessor

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/podstamp/podstamp/collector/podstampprocessor/internal/records"
)

func TestAnOutlineIsARequestWithOneSpan(t *testing.T) {
	td := batchOf(map[string]any{"service.name": "shop", "nested": map[string]any{"list": []any{1, "two", 0.5, true, nil}}})
	spans := td.ResourceSpans().At(0).ScopeSpans().At(0).Spans()
	spans.At(0).SetEndTimestamp(7)
	spans.At(0).SetKind(-3)
	spans.AppendEmpty().SetEndTimestamp(5)
	td.ResourceSpans().AppendEmpty().Resource().SetDroppedAttributesCount(3)
	before := marshalled(t, td)
	list, err := outlinesOf(tracesBatch{td.ResourceSpans()})
	require.NoError(t, err)
	assert.Equal(t, before, marshalled(t, td), "the batch is what it was")

	read, err := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(list[1].put(list[0].put(nil)))
	require.NoError(t, err)
	require.Equal(t, 2, read.ResourceSpans().Len())
	first := read.ResourceSpans().At(0)
	assert.Equal(t, td.ResourceSpans().At(0).Resource().Attributes().AsRaw(), first.Resource().Attributes().AsRaw())
	assert.Equal(t, 1, read.SpanCount())
	span := first.ScopeSpans().At(0).Spans().At(0)
	assert.Equal(t, pcommon.Timestamp(7), span.EndTimestamp())
	assert.Equal(t, ptrace.SpanKind(-3), span.Kind())
	assert.Equal(t, uint32(3), read.ResourceSpans().At(1).Resource().DroppedAttributesCount())
}

func TestAnEditOutsideOfTheBodyIsMalformed(t *testing.T) {
	body := []byte("0123456789")
	for name, prepared := range map[string]records.Prepared{
		"begins behind it": {Edits: []records.Edit{{Offset: 11}}},
		"ends behind it":   {Edits: []records.Edit{{Offset: 9, Remove: 2}}},
		"overlap":          {Edits: []records.Edit{{Offset: 4, Remove: 2}, {Offset: 5}}},
		"too little":       {Edits: []records.Edit{{Insert: 2}}, Inserted: []byte("a")},
		"overflow":         {Edits: []records.Edit{{Offset: 1<<32 - 1, Remove: 1<<32 - 1}}},
	} {
		prepared.Content = records.Edited
		_, err := contentOf(body, &prepared)
		assert.ErrorIs(t, err, records.ErrMalformed, name)
	}
	edited, err := contentOf(body, &records.Prepared{
		Content: records.Edited, Edits: []records.Edit{{Remove: 1, Insert: 2}, {Offset: 5, Insert: 1}, {Offset: 8, Remove: 2}}, Inserted: []byte("abc"),
	})
	require.NoError(t, err)
	assert.Equal(t, "ab1234c567", string(edited))
}

func TestOtherResourcesThanThoseOfTheBatchAreMalformed(t *testing.T) {
	list, err := outlinesOf(tracesBatch{batchFrom(2, 2).ResourceSpans()})
	require.NoError(t, err)
	body := list[1].put(list[0].put(nil))
	for length := range body {
		prepared := records.Prepared{Content: records.Replaced, Body: body[:length]}
		_, err := changesOf(list, body, &prepared)
		assert.ErrorIs(t, err, records.ErrMalformed, length)
	}
	prepared := records.Prepared{Content: records.Replaced, Body: list[0].put(body)}
	_, err = changesOf(list, body, &prepared)
	assert.ErrorIs(t, err, records.ErrMalformed)
}

func FuzzChangesOf(f *testing.F) {
	list, err := outlinesOf(tracesBatch{batchFrom(2, 2).ResourceSpans()})
	require.NoError(f, err)
	body := list[1].put(list[0].put(nil))
	f.Add(body)
	f.Fuzz(func(t *testing.T, after []byte) {
		prepared := records.Prepared{Content: records.Replaced, Body: after}
		changes, err := changesOf(list, body, &prepared)
		if err != nil {
			return
		}
		td := batchFrom(2, 2)
		for place, change := range changes {
			change.apply(td.ResourceSpans().At(place).Resource())
		}
		// What was made of the bytes is what pdata reads in them.
		read, err := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(after)
		if err != nil {
			return
		}
		for place, entry := range read.ResourceSpans().All() {
			assert.Equal(t, entry.Resource().Attributes().AsRaw(), td.ResourceSpans().At(place).Resource().Attributes().AsRaw())
		}
	})
}
