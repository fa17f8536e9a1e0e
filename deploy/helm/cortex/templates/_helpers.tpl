{{/* The name of the installation's objects. */}}
{{- define "cortex.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else if contains (include "cortex.name" .) .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "cortex.name" .) | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "cortex.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{/* Labels that select a role's pods: (dict "root" $ "role" "parser"). */}}
{{- define "cortex.selector" -}}
app.kubernetes.io/name: {{ include "cortex.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .role }}
{{- end -}}

{{- define "cortex.labels" -}}
{{ include "cortex.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "cortex.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* A role's service account: its own, or the namespace's default. */}}
{{- define "cortex.serviceAccount" -}}
{{- $values := get .root.Values .role -}}
{{- $values.serviceAccount.name | default (ternary (printf "%s-%s" (include "cortex.fullname" .root) .role) "default" $values.serviceAccount.create) -}}
{{- end -}}

{{/* Where the other roles find the registry. */}}
{{- define "cortex.registryUrl" -}}
{{- .Values.registry.url | default (printf "%s://%s-registry:7400" (ternary "https" "http" (ne .Values.tls.registrySecret "")) (include "cortex.fullname" .)) -}}
{{- end -}}

{{/* What the schema cannot say: values that do not go together. */}}
{{- define "cortex.check" -}}
{{- if and .Values.tls.clientSecret (not .Values.tls.registrySecret) -}}
{{- fail "tls.clientSecret needs tls.registrySecret: client certificates are shown over TLS alone" -}}
{{- end -}}
{{- with .Values.parser.autoscaling -}}
{{- if gt (int .minReplicas) (int .maxReplicas) -}}
{{- fail "parser.autoscaling: minReplicas is more than maxReplicas" -}}
{{- end -}}
{{- if and (eq .mode "hpa") (not .hpa.cpuUtilization) (not .hpa.lagMetric) -}}
{{- fail "parser.autoscaling.hpa: set cpuUtilization or lagMetric, or there is nothing to scale on" -}}
{{- end -}}
{{- end -}}
{{- if and .Values.console.ingress.enabled (not .Values.console.url) -}}
{{- fail "console.ingress needs console.url, https://HOST" -}}
{{- end -}}
{{- end -}}

{{/* One rule of a NetworkPolicy's egress: to peers, or anywhere, on ports. */}}
{{- define "cortex.egress" -}}
{{- with .to -}}
to:
  {{- toYaml . | nindent 2 }}
{{ end -}}
ports:
  {{- range .ports }}
  - { port: {{ . }}, protocol: TCP }
  {{- end }}
{{- end -}}
