{{/* The beginning of every name: the release's, with the chart's where that is not in it. 40 characters leave room for the rest. */}}
{{- define "podstamp.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* What is the same for everything of a release. */}}
{{- define "podstamp.releaseLabels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/* Labels by which a component's pods are selected, of (dict "root" $ "component" …). They never change. */}}
{{- define "podstamp.selector" -}}
{{ include "podstamp.releaseLabels" .root }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "podstamp.labels" -}}
{{ include "podstamp.releaseLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: podstamp
{{- end -}}

{{- define "podstamp.componentLabels" -}}
{{ include "podstamp.labels" .root }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "podstamp.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "podstamp.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "podstamp.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ default $.Chart.AppVersion .tag }}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The components of this release, separated by blanks. */}}
{{- define "podstamp.components" -}}
{{- $agent := has .Values.mode (list "agent" "both") -}}
{{- $gateway := has .Values.mode (list "gateway" "both") -}}
{{- $central := or (and $agent (eq .Values.agent.pods "central")) (and $gateway (eq .Values.gateway.pods "central")) -}}
{{- if $agent }}agent {{ end }}{{ if $gateway }}gateway {{ end }}{{ if $central }}central{{ end -}}
{{- end -}}

{{/* Whether a component watches the Kubernetes API: "true", or nothing. */}}
{{- define "podstamp.watches" -}}
{{- if eq .component "central" -}}
true
{{- else if has (get .root.Values .component).pods (list "node" "cluster") -}}
true
{{- end -}}
{{- end -}}

{{/* Where deepflow-agent is, as a URL without a path. */}}
{{- define "podstamp.upstream" -}}
{{- if .Values.deepflow.nodeLocal.enabled -}}
http://{{ include "podstamp.fullname" . }}-deepflow-agent.{{ .Values.deepflow.nodeLocal.namespace }}
{{- else -}}
{{ .Values.deepflow.url | trimSuffix "/" }}
{{- end -}}
{{- end -}}
