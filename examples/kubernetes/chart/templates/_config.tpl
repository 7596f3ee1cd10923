{{/*
The configuration of a component, of (dict "root" $ "component" …): what the chart makes, then `config`, then the component's own.
Maps are merged, everything else is replaced.
*/}}
{{- define "podstamp.config" -}}
{{- $values := .root.Values -}}
{{- $own := get $values .component -}}
{{- $given := mergeOverwrite (deepCopy $values.config) (deepCopy $own.config) -}}
{{- $made := fromYaml (include "podstamp.config.base" .) -}}
{{- if not (get $given "service") -}}
{{- $made = mergeOverwrite $made (fromYaml (include "podstamp.config.pipeline" .)) -}}
{{- end -}}
{{- $whole := mergeOverwrite $made $given -}}
{{- /* The pods that are asked for are those that every processor of the kind agrees on. */ -}}
{{- $filter := dict -}}
{{- if and (eq .component "agent") (eq $values.agent.pods "node") -}}
{{- $_ := set $filter "node_from_env_var" "NODE_NAME" -}}
{{- end -}}
{{- with $values.watchNamespace -}}
{{- $_ := set $filter "namespace" . -}}
{{- end -}}
{{- if $filter -}}
{{- range $id, $processor := default dict $whole.processors -}}
{{- if has (first (splitList "/" $id)) (list "k8sattributes" "k8s_attributes") -}}
{{- $stated := default dict (default dict $processor).filter -}}
{{- $added := deepCopy $filter -}}
{{- if $stated.node -}}
{{- $added = omit $added "node_from_env_var" -}}
{{- end -}}
{{- $_ := set $whole.processors $id (mergeOverwrite (dict "filter" $added) (default dict $processor)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- toYaml $whole -}}
{{- end -}}

{{- define "podstamp.config.base" -}}
{{- $values := .root.Values -}}
{{- $pods := (get $values .component).pods -}}
{{- $name := include "podstamp.fullname" .root -}}
{{- if ge (int $values.drain.delaySeconds) (int $values.drain.timeoutSeconds) -}}
{{- fail "drain.delaySeconds has to be less than drain.timeoutSeconds, which includes it" -}}
{{- end -}}
receivers:
  otlp:
    protocols:
      grpc:
        endpoint: "{{ ternary "127.0.0.1" $values.listen (eq .component "central") }}:4317"
      http:
        endpoint: "{{ ternary "127.0.0.1" $values.listen (eq .component "central") }}:4318"
exporters:
  otlphttp:
    {{- if and (eq .component "gateway") (eq $values.mode "both") }}
    # deepflow-agent survives one connection at a time, which is that of its node's podstamp.
    traces_endpoint: http://{{ $name }}-agent.{{ .root.Release.Namespace }}:4318/api/v1/otel/trace
    {{- else }}
    traces_endpoint: {{ include "podstamp.upstream" .root }}/api/v1/otel/trace
    {{- end }}
    {{- if include "podstamp.onDisk" . }}
    sending_queue: { storage: file_storage, sizer: bytes, queue_size: {{ int64 $values.queue.maxBytes }} }
    retry_on_failure: { max_elapsed_time: 0s }
    {{- else if and (ne $values.queue.storage "none") (ne .component "central") }}
    sending_queue: {}
    {{- end }}
{{- if include "podstamp.onDisk" . }}
extensions:
  file_storage:
    directory: /var/lib/podstamp/queue
    create_directory: true
    max_size: {{ int64 $values.queue.maxBytes }}
{{- end }}
podstamp:
  pods:
    {{- if include "podstamp.watches" . }}
    from: kubernetes
    {{- else if eq $pods "central" }}
    from: http://{{ $name }}-pods.{{ .root.Release.Namespace }}:8888
    {{- else }}
    from: {{ $pods }}
    {{- end }}
  admin:
    endpoint: "{{ $values.listen }}:8888"
    {{- if $values.console.enabled }}
    console:
      payloads: {{ $values.console.payloads }}
      {{- with $values.console.traceLink }}
      trace_link: {{ quote . }}
      {{- end }}
    {{- end }}
  drain_delay: {{ $values.drain.delaySeconds }}s
  limits:
    drain_timeout: {{ $values.drain.timeoutSeconds }}s
{{- end -}}

{{/* Whether a component keeps its queue on disk: each of the agents has a node of its own, a gateway's replicas have none. */}}
{{- define "podstamp.onDisk" -}}
{{- if and (eq .component "agent") (eq .root.Values.queue.storage "disk") -}}true{{- end -}}
{{- end -}}

{{/* DeepFlow's pipeline for agents behind a load balancer, which needs nothing of the clients. */}}
{{- define "podstamp.config.pipeline" -}}
processors:
  resource/pre:
    attributes:
    - { key: k8s.pod.name, from_attribute: host.name, action: insert }
  k8sattributes:
    extract:
      metadata: [k8s.pod.name, k8s.pod.uid, k8s.pod.ip]
    pod_association:
    - sources: [{ from: resource_attribute, name: k8s.pod.name }]
    - sources: [{ from: resource_attribute, name: k8s.pod.ip }]
    - sources: [{ from: resource_attribute, name: k8s.pod.uid }]
    - sources: [{ from: connection }]
    exclude:
      # What comes from these is not their own.
      pods:
      - { name: jaeger-agent }
      - { name: jaeger-collector }
      - { name: "^{{ include "podstamp.fullname" .root }}-(agent|gateway|pods)-" }
  resource/post:
    attributes:
    - { key: app.host.ip, from_attribute: k8s.pod.ip, action: insert }
service:
  {{- if include "podstamp.onDisk" . }}
  extensions: [file_storage]
  {{- end }}
  pipelines:
    traces:
      receivers: [otlp]
      processors: [resource/pre, k8sattributes, resource/post]
      exporters: [otlphttp]
{{- end -}}

{{/* The ConfigMap of a component. */}}
{{- define "podstamp.configMap" -}}
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ include "podstamp.fullname" .root }}-{{ .name }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "podstamp.componentLabels" . | nindent 4 }}
data:
  podstamp.yaml: |
    {{- include "podstamp.config" . | nindent 4 }}
{{- end -}}
