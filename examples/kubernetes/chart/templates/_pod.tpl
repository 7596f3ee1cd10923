{{/* metadata and spec of a component's pods, of (dict "root" $ "component" … "name" …). */}}
{{- define "podstamp.pod" -}}
{{- $values := .root.Values -}}
{{- $own := get $values .component -}}
metadata:
  labels:
    {{- include "podstamp.componentLabels" . | nindent 4 }}
    {{- with $own.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  annotations:
    # A changed configuration makes new pods: it is read at the start alone.
    checksum/config: {{ include "podstamp.config" . | sha256sum }}
    {{- with $own.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ include "podstamp.serviceAccount" .root }}
  {{- /* Only a watch of the Kubernetes API takes a token. */}}
  automountServiceAccountToken: {{ if include "podstamp.watches" . }}true{{ else }}false{{ end }}
  {{- with $values.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  # drain_timeout, and some seconds to end in.
  terminationGracePeriodSeconds: {{ add $values.drain.timeoutSeconds 5 }}
  enableServiceLinks: false
  securityContext:
    {{- if include "podstamp.onDisk" . }}
    # The kubelet makes the node's folder root's. All capabilities are dropped all the same.
    runAsUser: 0
    runAsGroup: 0
    {{- else }}
    runAsNonRoot: true
    runAsUser: 65532
    runAsGroup: 65532
    {{- end }}
    seccompProfile:
      type: RuntimeDefault
  containers:
  - name: podstamp
    image: {{ include "podstamp.image" .root }}
    imagePullPolicy: {{ $values.image.pullPolicy }}
    args:
    - serve
    - --config=/etc/podstamp/podstamp.yaml
    - --log-level={{ $values.log.level }}
    - --log-format={{ $values.log.format }}
    env:
    - name: NODE_NAME
      valueFrom:
        fieldRef:
          fieldPath: spec.nodeName
    {{- with $own.extraEnv }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
    ports:
    {{- if ne .component "central" }}
    - name: otlp-grpc
      containerPort: 4317
      {{- if and (eq .component "agent") $own.hostPort.enabled }}
      hostPort: {{ $own.hostPort.grpc }}
      {{- end }}
    - name: otlp-http
      containerPort: 4318
      {{- if and (eq .component "agent") $own.hostPort.enabled }}
      hostPort: {{ $own.hostPort.http }}
      {{- end }}
    {{- end }}
    - name: admin
      containerPort: 8888
    # Compiling the filter takes a second of a processor; a limit may stretch it.
    startupProbe:
      httpGet:
        path: /healthz
        port: admin
      periodSeconds: 1
      failureThreshold: 120
    livenessProbe:
      httpGet:
        path: /healthz
        port: admin
      periodSeconds: 10
      timeoutSeconds: 5
      failureThreshold: 6
    readinessProbe:
      httpGet:
        path: /readyz
        port: admin
      periodSeconds: 2
      timeoutSeconds: 5
      # From the first answer that says no, clients are sent elsewhere.
      failureThreshold: 1
    resources:
      {{- toYaml $own.resources | nindent 6 }}
    securityContext:
      allowPrivilegeEscalation: false
      readOnlyRootFilesystem: true
      capabilities:
        drop: [ALL]
    volumeMounts:
    - name: config
      mountPath: /etc/podstamp
      readOnly: true
    {{- if include "podstamp.onDisk" . }}
    - name: queue
      mountPath: /var/lib/podstamp/queue
    {{- end }}
    {{- with $own.extraVolumeMounts }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  volumes:
  - name: config
    configMap:
      name: {{ include "podstamp.fullname" .root }}-{{ .name }}
  {{- if include "podstamp.onDisk" . }}
  - name: queue
    hostPath:
      path: {{ $values.queue.hostPath }}
      type: DirectoryOrCreate
  {{- end }}
  {{- with $own.extraVolumes }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
  {{- with $own.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $own.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- if $own.affinity }}
  affinity:
    {{- toYaml $own.affinity | nindent 4 }}
  {{- else if and (eq .component "gateway") (or (eq $values.mode "both") $values.deepflow.nodeLocal.enabled) }}
  affinity:
    podAffinity:
      # Beside what it sends to, which is reached on its own node alone.
      requiredDuringSchedulingIgnoredDuringExecution:
      - topologyKey: kubernetes.io/hostname
        labelSelector:
          matchLabels:
            {{- if eq $values.mode "both" }}
            {{- include "podstamp.selector" (dict "root" .root "component" "agent") | nindent 12 }}
            {{- else }}
            {{- toYaml $values.deepflow.nodeLocal.selector | nindent 12 }}
        namespaces: [{{ $values.deepflow.nodeLocal.namespace }}]
            {{- end }}
  {{- end }}
  {{- if ne .component "agent" }}
  topologySpreadConstraints:
    {{- if $own.topologySpreadConstraints }}
    {{- toYaml $own.topologySpreadConstraints | nindent 4 }}
    {{- else }}
    {{- if eq .component "gateway" }}
    # Two on one node would be two connections to its deepflow-agent.
    {{- end }}
    - topologyKey: kubernetes.io/hostname
      maxSkew: 1
      whenUnsatisfiable: {{ ternary "DoNotSchedule" "ScheduleAnyway" (eq .component "gateway") }}
      matchLabelKeys: [pod-template-hash]
      labelSelector:
        matchLabels:
          {{- include "podstamp.selector" . | nindent 10 }}
    - topologyKey: topology.kubernetes.io/zone
      maxSkew: 1
      whenUnsatisfiable: ScheduleAnyway
      matchLabelKeys: [pod-template-hash]
      labelSelector:
        matchLabels:
          {{- include "podstamp.selector" . | nindent 10 }}
    {{- end }}
  {{- end }}
  {{- with $own.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
{{- end -}}
