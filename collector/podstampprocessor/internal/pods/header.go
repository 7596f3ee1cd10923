package pods

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
)

// header is what the first line of a text says of the rest. The filter reads all of it; here it is only what to ask for next.
type header struct {
	all     bool
	version string
	lines   int
}

func readHeader(text []byte) (header, error) {
	line, _, ended := bytes.Cut(text, []byte("\n"))
	words := strings.Split(string(line[:min(len(line), longestLine)]), "\t")
	if !ended || !strings.HasPrefix(words[0], "podstamp-pods ") || len(words) < 3 {
		return header{}, fmt.Errorf("it begins with %.60q", text)
	}
	read := header{all: words[1] == "full", version: words[2]}
	if read.all {
		return read, nil
	}
	delta := strings.Split(words[1], " ")
	if len(delta) != 3 || delta[0] != "delta" {
		return header{}, fmt.Errorf("it is neither full nor a delta, but %.60q", words[1])
	}
	lines, err := strconv.Atoi(delta[2])
	if err != nil || lines < 0 {
		return header{}, fmt.Errorf("%.60q is no number of lines", delta[2])
	}
	read.lines = lines
	return read, nil
}

// isNothing says that nothing has changed since a version.
func (h header) isNothing(since string) bool { return !h.all && h.lines == 0 && h.version == since }

// longestLine holds the names of the cells, and of many labels.
const longestLine = 1 << 20
