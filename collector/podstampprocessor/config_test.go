package podstampprocessor

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/confmaptest"
)

// configured reads the entry of testdata/config.yaml.
func configured(t *testing.T, name string) *Config {
	t.Helper()
	all, err := confmaptest.LoadConf("testdata/config.yaml")
	require.NoError(t, err)
	entry, err := all.Sub(name)
	require.NoError(t, err)
	config := createDefaultConfig()
	require.NoError(t, entry.Unmarshal(config))
	return config.(*Config)
}

// written reads a configuration from YAML.
func written(t testing.TB, yaml string) *Config {
	t.Helper()
	retrieved, err := confmap.NewRetrievedFromYAML([]byte(yaml))
	require.NoError(t, err)
	conf, err := retrieved.AsConf()
	require.NoError(t, err)
	config := createDefaultConfig()
	require.NoError(t, conf.Unmarshal(config))
	return config.(*Config)
}

func TestASoundConfigurationIsTaken(t *testing.T) {
	for _, name := range []string{"podstamp", "podstamp/deepflow", "podstamp/own"} {
		assert.NoError(t, confmap.Validate(configured(t, name)), name)
	}
	own := configured(t, "podstamp/own")
	assert.Equal(t, "http://podstamp.deepflow:8888", own.Pods.Endpoint)
	assert.Equal(t, time.Second, own.Pods.Interval)
	assert.Equal(t, uint64(64<<20), own.limits().Memory)
	assert.Equal(t, 2, own.instances())
	assert.Positive(t, configured(t, "podstamp").instances())
}

func TestAllFaultsAreToldAtOnceWithTheirPaths(t *testing.T) {
	err := confmap.Validate(configured(t, "podstamp/faults"))
	require.Error(t, err)
	for _, path := range []string{
		"processors.resource.attributes[0].action: ", "podstamp.trusted_proxies[0]: ", "instances: ", "timeout: ",
		"memory_limit_mib: ", "pods.endpoint: ", "pods.wait: ", "pods.interval: ",
	} {
		lines := strings.Split(err.Error(), "\n")
		found := 0
		for _, line := range lines {
			if strings.HasPrefix(line, path) {
				found++
			}
		}
		assert.Equal(t, 1, found, "%s in:\n%s", path, err)
	}
}

func TestWhatJSONDoesNotHaveIsAFault(t *testing.T) {
	assert.ErrorContains(t, configured(t, "podstamp/numbers").Validate(), "podstamp.limits.per_peer: NaN")
}

func TestPodsAreAskedForByPathsOfTheProcessor(t *testing.T) {
	err := configured(t, "podstamp/pods").Validate()
	assert.ErrorContains(t, err, `pods.endpoint: "http://podstamp:8888/pods" has a path`)
	assert.ErrorContains(t, err, "pods.timeout: 5s would end questions")
}

func TestAnIPv6AddressWithoutBracketsIsToldHowToBeWritten(t *testing.T) {
	for endpoint, fault := range map[string]string{
		"http://fd00::1:8888":    "write http://[fd00::1]:8888",
		"http://[fd00::1]:8888":  "",
		"https://podstamp-pods/": "",
	} {
		var pods PodsConfig
		pods.Endpoint = endpoint
		if err := pods.check(); fault == "" {
			assert.NoError(t, err, endpoint)
		} else {
			assert.ErrorContains(t, err, fault)
		}
	}
}

func TestTheDocumentsOwnSourceOfPodsIsTakenWhereItIsAPodstamp(t *testing.T) {
	for from, endpoint := range map[string]string{"http://podstamp:8888": "http://podstamp:8888", "kubernetes": ""} {
		config := createDefaultConfig().(*Config)
		config.Podstamp = map[string]any{"pods": map[string]any{"from": from}}
		assert.Equal(t, endpoint, config.endpoint())
		config.Pods.Endpoint = "http://other:1"
		assert.Equal(t, "http://other:1", config.endpoint())
	}
}
