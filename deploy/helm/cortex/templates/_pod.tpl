{{/* The pod of a role: (dict "root" $ "role" "parser" "config" NAME "args" LIST). "command" goes before the image's own. */}}
{{- define "cortex.podSpec" -}}
{{- $v := .root.Values -}}
{{- $values := get $v .role -}}
{{- $isHook := eq .role "hooks" -}}
{{- $secrets := include "cortex.secrets" . -}}
{{- /* The jobs talk to Kafka and the database alone. */ -}}
{{- $registryTls := and $v.tls.registrySecret (not $isHook) -}}
{{- $clientTls := and $v.tls.clientSecret (not $isHook) -}}
serviceAccountName: {{ include "cortex.serviceAccount" . }}
# The API is never asked; an IRSA token has a volume of its own.
automountServiceAccountToken: false
{{- with $v.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  seccompProfile: { type: RuntimeDefault }
{{- if not $isHook }}
terminationGracePeriodSeconds: {{ $values.terminationGracePeriodSeconds }}
{{- with $values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- if $v.topologySpread.enabled }}
topologySpreadConstraints:
  {{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - topologyKey: {{ . }}
    maxSkew: 1
    whenUnsatisfiable: {{ $v.topologySpread.whenUnsatisfiable }}
    labelSelector:
      matchLabels:
        {{- include "cortex.selector" $ | nindent 8 }}
    {{- if ne $.role "parser" }}
    matchLabelKeys: [pod-template-hash]
    {{- end }}
  {{- end }}
{{- end }}
{{- end }}
{{- range $key := list "nodeSelector" "tolerations" "affinity" }}
{{- with get $values $key }}
{{ $key }}:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
containers:
  - name: {{ .container | default .role }}
    image: {{ include "cortex.image" .root }}
    imagePullPolicy: {{ $v.image.pullPolicy }}
    {{- with .command }}
    command: {{ toJson . }}
    {{- end }}
    args: {{ toJson .args }}
    env:
      {{- include "cortex.env" . | nindent 6 }}
    {{- if not $isHook }}
    ports:
      - { name: telemetry, containerPort: 7480 }
      {{- if eq .role "registry" }}
      - { name: grpc, containerPort: 7400 }
      {{- else if eq .role "console" }}
      - { name: http, containerPort: 7490 }
      {{- end }}
    startupProbe:
      httpGet: { path: /healthz, port: telemetry }
      periodSeconds: 2
      failureThreshold: 30
    # It says whether the process serves, not whether Kafka or the database does: a restart would mend neither.
    livenessProbe:
      httpGet: { path: /healthz, port: telemetry }
      periodSeconds: 10
      timeoutSeconds: 5
      failureThreshold: 6
    # True only while the role can work.
    readinessProbe:
      httpGet: { path: /readyz, port: telemetry }
      periodSeconds: 5
      timeoutSeconds: 5
      failureThreshold: 2
    {{- end }}
    resources:
      {{- toYaml $values.resources | nindent 6 }}
    securityContext:
      allowPrivilegeEscalation: false
      readOnlyRootFilesystem: true
      capabilities: { drop: [ALL] }
    volumeMounts:
      - { name: settings, mountPath: /etc/cortex/settings, readOnly: true }
      - { name: tmp, mountPath: /tmp }
      {{- if $secrets }}
      - { name: secrets, mountPath: /etc/cortex/secrets, readOnly: true }
      {{- end }}
      {{- if $registryTls }}
      - { name: registry-tls, mountPath: /etc/cortex/registry-tls, readOnly: true }
      {{- end }}
      {{- if $clientTls }}
      - { name: client-tls, mountPath: /etc/cortex/client-tls, readOnly: true }
      {{- end }}
volumes:
  - name: settings
    configMap: { name: {{ .config }} }
  - name: tmp
    emptyDir: { sizeLimit: {{ ternary $v.console.uploads.sizeLimit "64Mi" (eq .role "console") }} }
  {{- if $secrets }}
  - name: secrets
    projected:
      defaultMode: 0440
      sources:
        {{- $secrets | trim | nindent 8 }}
  {{- end }}
  {{- if $registryTls }}
  - name: registry-tls
    secret:
      secretName: {{ $v.tls.registrySecret }}
      defaultMode: 0440
      {{- if ne .role "registry" }}
      # Its key is the registry's alone.
      items: [{ key: ca.crt, path: ca.crt }]
      {{- end }}
  {{- end }}
  {{- if $clientTls }}
  - name: client-tls
    secret:
      secretName: {{ $v.tls.clientSecret }}
      defaultMode: 0440
      {{- if eq .role "registry" }}
      items: [{ key: ca.crt, path: ca.crt }]
      {{- end }}
  {{- end }}
{{- end -}}

{{/* A role's pod template. */}}
{{- define "cortex.podTemplate" -}}
{{- $values := get .root.Values .role -}}
metadata:
  labels:
    {{- include "cortex.labels" . | nindent 4 }}
    {{- with $values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  annotations:
    # A change of settings is a rollout.
    checksum/settings: {{ include "cortex.toml" . | sha256sum }}
    {{- with $values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  {{- include "cortex.podSpec" . | nindent 2 }}
{{- end -}}
