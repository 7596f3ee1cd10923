package records

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// writer writes results, as the module does.
type writer []byte

func (w *writer) u8(value byte)     { *w = append(*w, value) }
func (w *writer) u16(value uint16)  { *w = binary.LittleEndian.AppendUint16(*w, value) }
func (w *writer) u32(value uint32)  { *w = binary.LittleEndian.AppendUint32(*w, value) }
func (w *writer) text(value string) { *w = putText(*w, value) }
func (w *writer) texts(list ...string) {
	for _, value := range list {
		w.text(value)
	}
}

func (w *writer) report() (report Report) {
	for count := range report {
		report[count] = uint32(count * 3)
		w.u32(report[count])
	}
	return report
}

func (w *writer) notice(notice Notice) {
	w.u8(byte(notice.Level))
	w.texts(notice.Key, notice.Message)
}

// edited is a verdict to send on an edited body, with all that can stand around it.
func edited() (writer, Prepared) {
	var w writer
	w.u8(0)
	for _, url := range []string{"http://agent", "http://copy"} {
		if url == "http://copy" {
			w.u32(1)
		}
		w.text(url)
		w.u32(1)
		w.texts("content-type", "application/x-protobuf")
		w.u32(30_000)
	}
	w.u8(1)
	w.u32(2)
	edits := []Edit{{1, 2, 3}, {10, 0, 4}}
	for _, edit := range edits {
		w.u32(edit.Offset)
		w.u32(edit.Remove)
		w.u32(edit.Insert)
	}
	w.text("abcdefg")
	w.u32(1)
	w.u32(99)
	w.u32(1)
	w.u32(1000)
	w.u8(2)
	report := w.report()
	notices := []Notice{{Warning, "spans-far", "a clock is wrong"}}
	w.u32(1)
	w.notice(notices[0])
	return w, Prepared{Content: Edited, Edits: edits, Inserted: []byte("abcdefg"), Report: report, Notices: notices}
}

func answered() (writer, Prepared) {
	var w writer
	w.u8(1)
	w.u16(400)
	w.u32(1)
	w.texts("content-type", "application/x-protobuf")
	w.text("a status")
	w.u8(1)
	notice := Notice{Error, "undecodable", "it is broken"}
	w.notice(notice)
	report := w.report()
	w.u32(0)
	return w, Prepared{Answer: &Answer{400, []byte("a status"), &notice}, Report: report}
}

func TestAVerdictIsRead(t *testing.T) {
	for name, make := range map[string]func() (writer, Prepared){"edited": edited, "answered": answered} {
		t.Run(name, func(t *testing.T) {
			bytes, expected := make()
			var prepared Prepared
			// What a decoder had before does not show.
			other, _ := edited()
			require.NoError(t, prepared.Decode(other))
			require.NoError(t, prepared.Decode(bytes))
			assert.ElementsMatch(t, expected.Edits, prepared.Edits)
			assert.ElementsMatch(t, expected.Notices, prepared.Notices)
			prepared.Edits, prepared.Notices = expected.Edits, expected.Notices
			assert.Equal(t, expected, prepared)
		})
	}
}

func TestWhatIsCutShortOrTooLongIsMalformed(t *testing.T) {
	verdict, _ := edited()
	answer, _ := answered()
	for name, test := range map[string]struct {
		bytes  []byte
		decode func([]byte) error
	}{
		"verdict":  {verdict, func(bytes []byte) error { return new(Prepared).Decode(bytes) }},
		"answer":   {answer, func(bytes []byte) error { return new(Prepared).Decode(bytes) }},
		"settings": {settings(), func(bytes []byte) error { _, err := DecodeSettings(bytes); return err }},
		"pods":     {state(), func(bytes []byte) error { _, err := DecodePodsState(bytes); return err }},
	} {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, test.decode(test.bytes))
			for length := range test.bytes {
				assert.ErrorIs(t, test.decode(test.bytes[:length]), ErrMalformed)
			}
			assert.ErrorIs(t, test.decode(append(test.bytes, 0)), ErrMalformed)
		})
	}
}

func settings() writer {
	var w writer
	w.u8(0)
	w.u32(2)
	w.texts("content-type", "x-forwarded-for")
	w.u32(1)
	w.notice(Notice{Info, "config-unused", "it is not used"})
	w.text("/pods?fields=uid")
	return w
}

func state() writer {
	var w writer
	w.u8(0)
	w.u32(3)
	w.text("9.1")
	return w
}

func TestSettingsAndFaultsAreRead(t *testing.T) {
	read, err := DecodeSettings(settings())
	require.NoError(t, err)
	assert.Equal(t, &Settings{
		RequestHeaders: []string{"content-type", "x-forwarded-for"},
		Notices:        []Notice{{Info, "config-unused", "it is not used"}},
		PodsPath:       "/pods?fields=uid",
	}, read)

	var w writer
	w.u8(1)
	w.u32(2)
	w.texts("processors.resource", "it is missing", "", "it is no JSON")
	_, err = DecodeSettings(w)
	assert.Equal(t, Faults{{"processors.resource", "it is missing"}, {"", "it is no JSON"}}, err)
	assert.EqualError(t, err, "processors.resource: it is missing\nit is no JSON")
}

func TestTheStateOfPodsIsRead(t *testing.T) {
	read, err := DecodePodsState(state())
	require.NoError(t, err)
	assert.Equal(t, PodsState{3, "9.1"}, read)
	var w writer
	w.u8(1)
	w.text("it ends early")
	_, err = DecodePodsState(w)
	assert.Equal(t, PodsFault("it ends early"), err)
}

// Without an allocation for each, a count that cannot be true would take all memory.
func TestACountOfItemsThatAreNotThereIsMalformed(t *testing.T) {
	var w writer
	w.u8(0)
	w.u32(1<<32 - 1)
	_, err := DecodeSettings(w)
	assert.ErrorIs(t, err, ErrMalformed)
}

func TestARequestIsWritten(t *testing.T) {
	request := Request{
		Signal: Logs, Peer: "10.0.0.1", Headers: []Header{{"x-forwarded-for", "10.0.0.2"}}, Body: []byte("body"), Now: 7,
	}
	var w writer
	w.u8(2)
	w.text("/v1/logs")
	w.u8(1)
	w.text("10.0.0.1")
	w.u32(1)
	w.texts("x-forwarded-for", "10.0.0.2")
	w.text("body")
	w.u8(1)
	w = binary.LittleEndian.AppendUint64(w, 7)
	written := make([]byte, request.Size())
	request.Put(written)
	assert.Equal(t, []byte(w), written)

	w = nil
	w.u8(0)
	w.text("/v1/traces")
	w.u8(0)
	w.u32(0)
	w.text("")
	w.u8(0)
	written = make([]byte, new(Request).Size())
	new(Request).Put(written)
	assert.Equal(t, []byte(w), written)
}

func FuzzDecode(f *testing.F) {
	verdict, _ := edited()
	answer, _ := answered()
	for _, seed := range []writer{verdict, answer, settings(), state()} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(_ *testing.T, bytes []byte) {
		_ = new(Prepared).Decode(bytes)
		_, _ = DecodeSettings(bytes)
		_, _ = DecodePodsState(bytes)
	})
}
