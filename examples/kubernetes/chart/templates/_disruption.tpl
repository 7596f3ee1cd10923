{{- define "podstamp.disruptionBudget" -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ include "podstamp.fullname" .root }}-{{ .name }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "podstamp.componentLabels" . | nindent 4 }}
spec:
  maxUnavailable: {{ (get .root.Values .component).podDisruptionBudget.maxUnavailable }}
  # One that is not ready must not keep a node from being drained.
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels:
      {{- include "podstamp.selector" . | nindent 6 }}
{{- end -}}
