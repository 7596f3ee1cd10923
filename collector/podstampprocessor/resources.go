package podstampprocessor

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/podstamp/podstamp/collector/podstampprocessor/internal/records"
)

// batch is the resources of a batch, whatever its signal.
type batch interface {
	Len() int
	// resource is the one at a place.
	resource(place int) pcommon.Resource
	// witness sets a span that stands for those of the resource at a place; false: there is none.
	witness(place int, span ptrace.Span) bool
}

// marshal writes the Resources of a batch, without what they made, as an export request: one of traces, of metrics and of logs have
// the same form there. Nothing is missing in the batch once it returns.
func marshal(all batch) ([]byte, []outline, error) {
	request := ptrace.NewTraces()
	list := request.ResourceSpans()
	list.EnsureCapacity(all.Len())
	spare := ptrace.NewSpan()
	var strange []int
	for place := range all.Len() {
		entry := list.AppendEmpty()
		if all.witness(place, spare) {
			if isStrange(spare.Kind()) {
				strange = append(strange, place)
			}
			spare.MoveTo(entry.ScopeSpans().AppendEmpty().Spans().AppendEmpty())
		}
		all.resource(place).MoveTo(entry.Resource())
	}
	body, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(request)
	for place := range all.Len() {
		list.At(place).Resource().MoveTo(all.resource(place))
	}
	if err != nil {
		return nil, nil, err
	}
	outlines, err := outlines(body, all.Len())
	if err != nil {
		return nil, nil, err
	}
	for _, place := range strange {
		outlines[place].isStrange = true
	}
	return body, outlines, nil
}

// outlines takes apart what marshal wrote: for each resource the part of the request that it is.
func outlines(body []byte, resources int) ([]outline, error) {
	list := make([]outline, 0, resources)
	all := fields{rest: body}
	for len(all.rest) > 0 && !all.failed {
		before := all.rest
		resource := all.resource()
		list = append(list, outline{whole: before[:len(before)-len(all.rest)], resource: resource})
	}
	if all.failed || len(list) != resources {
		return nil, fmt.Errorf("%w: it has other resources than the batch", records.ErrMalformed)
	}
	return list, nil
}

// outline is a resource without what it made.
type outline struct {
	// whole is its part of a request, and resource the Resource in it.
	whole, resource []byte
	// isStrange says that a span has a kind that OTLP does not have, which is for the filter to see.
	isStrange bool
}

// changesOf compares the resources of a request before and after; nil stands for no change. It reads bytes that are the filter's, and
// keeps none of them.
func changesOf(before []outline, body []byte, prepared *records.Prepared) ([]*change, error) {
	changes := make([]*change, len(before))
	if prepared.Content == records.Unchanged {
		return changes, nil
	}
	content, err := contentOf(body, prepared)
	if err != nil {
		return nil, err
	}
	after, err := outlines(content, len(before))
	if err != nil {
		return nil, err
	}
	for place := range before {
		if changes[place], err = changeOf(before[place].resource, after[place].resource); err != nil {
			return nil, err
		}
	}
	return changes, nil
}

// change is what becomes of one Resource: attributes that are added to it, or another in its place.
type change struct {
	added []pair
	other *pcommon.Resource
}

// pair is an attribute whose value is text, as nearly all are.
type pair struct{ key, value string }

// changeOf compares the bytes of a Resource before and after. What is only longer has attributes more: the rest of it is not read.
func changeOf(old, new []byte) (*change, error) {
	if bytes.Equal(old, new) {
		return nil, nil
	}
	if len(new) > len(old) && bytes.Equal(new[:len(old)], old) {
		if added, ok := textAttributes(new[len(old):]); ok {
			return &change{added: added}, nil
		}
	}
	inner := appendField(nil, new)
	traces, err := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(appendField(nil, inner))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", records.ErrMalformed, err)
	}
	other := traces.ResourceSpans().At(0).Resource()
	return &change{other: &other}, nil
}

// apply changes a Resource.
func (c *change) apply(resource pcommon.Resource) {
	if c == nil {
		return
	}
	if c.other != nil {
		c.other.CopyTo(resource)
		return
	}
	attributes := resource.Attributes()
	attributes.EnsureCapacity(attributes.Len() + len(c.added))
	for _, pair := range c.added {
		// None of the keys is there: the filter would have replaced its value then.
		attributes.PutStr(pair.key, pair.value)
	}
}

// textAttributes reads a run of attributes of a Resource; false where one of them is no text.
func textAttributes(run []byte) ([]pair, bool) {
	var pairs []pair
	all := fields{rest: run}
	for all.next() {
		pair, ok := textAttribute(all.content)
		if !ok || all.number != resourceAttributes {
			return nil, false
		}
		pairs = append(pairs, pair)
	}
	return pairs, !all.failed
}

func textAttribute(attribute []byte) (pair, bool) {
	var key, value []byte
	isText := false
	parts := fields{rest: attribute}
	for parts.next() {
		switch parts.number {
		case keyValueKey:
			key = parts.content
		case keyValueValue:
			inner := fields{rest: parts.content}
			isText = inner.next() && inner.number == anyValueString && len(inner.rest) == 0
			value = inner.content
		default:
			return pair{}, false
		}
	}
	return pair{string(key), string(value)}, isText && !parts.failed
}

// Numbers of fields.
const (
	requestResources   = 1
	resourceResource   = 1
	resourceAttributes = 1
	keyValueKey        = 1
	keyValueValue      = 2
	anyValueString     = 1
)

// fields goes through a message all of whose fields are length-delimited.
type fields struct {
	rest    []byte
	number  byte
	content []byte
	failed  bool
}

// next takes a field off the front; false where there is none, or the message is another one.
func (f *fields) next() bool {
	if f.failed || len(f.rest) == 0 {
		return false
	}
	tag := f.rest[0]
	length, read := binary.Uvarint(f.rest[1:])
	if tag&7 != 2 || tag > 0x7f || read <= 0 || length > uint64(len(f.rest)-1-read) {
		f.failed = true
		return false
	}
	end := 1 + read + int(length)
	f.number, f.content, f.rest = tag>>3, f.rest[1+read:end], f.rest[end:]
	return true
}

// resource takes a field of a request, and gives the Resource in it, which pdata does not write first.
func (f *fields) resource() []byte {
	if !f.next() || f.number != requestResources {
		f.failed = true
		return nil
	}
	inner := fields{rest: f.content}
	for inner.next() {
		if inner.number == resourceResource {
			return inner.content
		}
	}
	f.failed = true
	return nil
}

// appendField writes a field number 1.
func appendField(out, content []byte) []byte {
	out = append(out, 1<<3|2)
	return append(binary.AppendUvarint(out, uint64(len(content))), content...)
}

// contentOf is the body to send on.
func contentOf(body []byte, prepared *records.Prepared) ([]byte, error) {
	switch prepared.Content {
	case records.Unchanged:
		return body, nil
	case records.Replaced:
		return prepared.Body, nil
	}
	out := make([]byte, 0, len(body)+len(prepared.Inserted))
	at, inserted := uint64(0), prepared.Inserted
	for _, edit := range prepared.Edits {
		end := uint64(edit.Offset) + uint64(edit.Remove)
		if uint64(edit.Offset) < at || end > uint64(len(body)) || uint64(edit.Insert) > uint64(len(inserted)) {
			return nil, fmt.Errorf("%w: an edit is outside of the body", records.ErrMalformed)
		}
		out = append(out, body[at:edit.Offset]...)
		out = append(out, inserted[:edit.Insert]...)
		at, inserted = end, inserted[edit.Insert:]
	}
	return append(out, body[at:]...), nil
}
