package podstampprocessor

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/confmap"
)

// examplesFolder is that of the repository, which the module is beside or is told of.
func examplesFolder() string {
	if folder := os.Getenv("PODSTAMP_EXAMPLES"); folder != "" {
		return folder
	}
	return "../../examples"
}

func document(t *testing.T, path string) *confmap.Conf {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(examplesFolder(), path))
	if os.IsNotExist(err) && os.Getenv("PODSTAMP_EXAMPLES") == "" {
		t.Skip("the examples are not there")
	}
	require.NoError(t, err)
	// The Collector puts variables in place before a processor sees them.
	text = regexp.MustCompile(`\$\{env:\w+:-(.*?)\}`).ReplaceAll(text, []byte("$1"))
	retrieved, err := confmap.NewRetrievedFromYAML(text)
	require.NoError(t, err)
	conf, err := retrieved.AsConf()
	require.NoError(t, err)
	return conf
}

func TestExamplesAreSoundAndStampBeforeTheSenderIsForgotten(t *testing.T) {
	for _, name := range []string{"load-balancer", "central-pods", "own-watch"} {
		conf := document(t, "collector/"+name+".yaml")
		entry, err := conf.Sub("processors::podstamp")
		require.NoError(t, err)
		config := createDefaultConfig()
		require.NoError(t, entry.Unmarshal(config))
		assert.NoError(t, confmap.Validate(config), name)
		order, _ := conf.Get("service::pipelines::traces::processors").([]any)
		places := map[any]int{}
		for place, processor := range order {
			places[processor] = place
		}
		assert.Less(t, places["podstamp"], places["batch"], name)
	}
}

func TestTheDocumentOfAnOtelAgentMovesOverAsItIs(t *testing.T) {
	conf := document(t, "standalone/otel-agent.yaml")
	for _, sections := range [][]string{
		{"receivers", "processors", "exporters", "service"}, {"processors", "service"},
	} {
		moved := map[string]any{}
		for _, section := range sections {
			moved[section] = conf.Get(section)
		}
		config := createDefaultConfig()
		require.NoError(t, confmap.NewFromStringMap(moved).Unmarshal(config))
		assert.NoError(t, confmap.Validate(config), sections)
		r := run(t, config.(*Config))
		require.NoError(t, r.ConsumeTraces(from("10.1.2.3", nil), batchOf(map[string]any{"k8s.pod.ip": "10.1.2.4"})))
		assert.Equal(t, []string{"10.1.2.4"}, addresses(r.last(t)))
	}
}

func TestConfigurationsInTheReadmeAreSound(t *testing.T) {
	text, err := os.ReadFile("README.md")
	require.NoError(t, err)
	blocks := strings.Split(string(text), "```yml\n")[1:]
	require.NotEmpty(t, blocks)
	for _, block := range blocks {
		yaml, _, _ := strings.Cut(block, "```")
		retrieved, err := confmap.NewRetrievedFromYAML([]byte(yaml))
		require.NoError(t, err)
		conf, err := retrieved.AsConf()
		require.NoError(t, err)
		entry, err := conf.Sub("processors::podstamp")
		require.NoError(t, err)
		config := createDefaultConfig()
		require.NoError(t, entry.Unmarshal(config))
		assert.NoError(t, confmap.Validate(config), yaml)
	}
}
