{{/* A role's settings file: those of every role, then its own, then what the chart sets. A value of JSON is one of TOML. */}}
{{- define "cortex.toml" -}}
{{- $root := .root -}}
{{- /* The jobs before an upgrade reach what the registry reaches. */ -}}
{{- $values := get $root.Values (ternary "registry" .role (eq .role "hooks")) -}}
{{- $settings := merge (dict) ($values.settings | default dict) $root.Values.settings -}}
{{- $chart := dict "http_listen" "0.0.0.0:7480" "log" $root.Values.log.filter "log_format" $root.Values.log.format -}}
{{- with $root.Values.otlpEndpoint }}{{ $_ := set $chart "otlp_endpoint" . }}{{ end -}}
{{- if ne .role "console" }}{{ $_ := set $chart "kafka" $root.Values.kafka.bootstrap }}{{ end -}}
{{- if eq .role "registry" -}}
{{- $_ := set $chart "grpc_listen" "0.0.0.0:7400" -}}
{{- /* The job has migrated before a registry starts; where it is off, who migrates may be said. */ -}}
{{- if $root.Values.hooks.migrations.enabled }}{{ $_ := set $chart "database_migrations" "by_command" }}{{ end -}}
{{- else if ne .role "hooks" -}}
{{- $_ := set $chart "registry_url" (include "cortex.registryUrl" $root) -}}
{{- end -}}
{{- if eq .role "console" -}}
{{- $_ := set $chart "console_listen" "0.0.0.0:7490" -}}
{{- $_ := set $chart "console_url" $root.Values.console.url -}}
{{- end -}}
{{- range $name, $value := merge $chart $settings }}
{{ $name }} = {{ $value | toJson }}
{{- end }}
{{- if and (ne .role "console") $root.Values.kafka.properties (not $root.Values.kafka.propertiesSecret.name) }}

[kafka_properties]
{{- range $name, $value := $root.Values.kafka.properties }}
{{ $name | toJson }} = {{ $value | toString | toJson }}
{{- end }}
{{- end }}
{{- end -}}

{{/* Where a role finds its secrets. */}}
{{- define "cortex.env" -}}
{{- $root := .root -}}
{{- $v := $root.Values -}}
- name: CORTEX_CONFIG
  value: /etc/cortex/settings/cortex.toml
{{- if and (ne .role "console") $v.kafka.propertiesSecret.name }}
- name: CORTEX_KAFKA_PROPERTIES
  valueFrom:
    secretKeyRef: {{ $v.kafka.propertiesSecret | toJson }}
{{- end }}
{{- if or (eq .role "registry") (eq .role "hooks") }}
- name: CORTEX_DATABASE_URL
  valueFrom:
    secretKeyRef: {{ $v.database.urlSecret | toJson }}
{{- end }}
{{- if eq .role "registry" }}
- name: CORTEX_ADMIN_TOKEN_FILE
  value: /etc/cortex/secrets/admin-token
{{- if $v.secrets.sealingKey.name }}
- name: CORTEX_SEALING_KEY_FILE
  value: /etc/cortex/secrets/sealing-key
{{- end }}
{{- if $v.tls.registrySecret }}
- name: CORTEX_GRPC_TLS_CERT_FILE
  value: /etc/cortex/registry-tls/tls.crt
- name: CORTEX_GRPC_TLS_KEY_FILE
  value: /etc/cortex/registry-tls/tls.key
{{- end }}
{{- if $v.tls.clientSecret }}
- name: CORTEX_GRPC_CLIENT_CA_FILE
  value: /etc/cortex/client-tls/ca.crt
{{- end }}
{{- else if ne .role "hooks" }}
{{- if $v.tls.registrySecret }}
- name: CORTEX_REGISTRY_CA_FILE
  value: /etc/cortex/registry-tls/ca.crt
{{- end }}
{{- if $v.tls.clientSecret }}
- name: CORTEX_REGISTRY_CLIENT_CERT_FILE
  value: /etc/cortex/client-tls/tls.crt
- name: CORTEX_REGISTRY_CLIENT_KEY_FILE
  value: /etc/cortex/client-tls/tls.key
{{- end }}
{{- end }}
{{- if has .role (list "registry" "scanner" "parser") }}
- name: CORTEX_WORKER_TOKEN_FILE
  value: /etc/cortex/secrets/worker-token
{{- end }}
{{- if and (eq .role "console") $v.secrets.consoleKey.name }}
- name: CORTEX_CONSOLE_KEY_FILE
  value: /etc/cortex/secrets/console-key
{{- end }}
{{- range $name, $_ := include "cortex.secretFiles" . | fromYaml }}
- name: CORTEX_{{ upper $name }}_FILE
  value: /etc/cortex/secrets/{{ $name }}
{{- end }}
{{- with (get $v .role).extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* What else a role reads from files: setting and Secret. The jobs before an upgrade read what the registry would. */}}
{{- define "cortex.secretFiles" -}}
{{- $own := (get .root.Values (ternary "registry" .role (eq .role "hooks"))).secretFiles -}}
{{- merge (dict) $own (ternary (dict) .root.Values.secretFiles (eq .role "console")) | toYaml -}}
{{- end -}}

{{/* The parts of the projected volume at /etc/cortex/secrets. */}}
{{- define "cortex.secrets" -}}
{{- $secrets := .root.Values.secrets -}}
{{- $files := dict -}}
{{- if eq .role "console" -}}
{{- $_ := set $files "console-key" $secrets.consoleKey -}}
{{- else if ne .role "hooks" -}}
{{- $_ := set $files "worker-token" $secrets.workerToken -}}
{{- if eq .role "registry" -}}
{{- $_ := set $files "admin-token" $secrets.adminToken -}}
{{- $_ := set $files "sealing-key" $secrets.sealingKey -}}
{{- end -}}
{{- end -}}
{{- range $file, $ref := merge $files (include "cortex.secretFiles" . | fromYaml) }}
{{- if $ref.name }}
- secret:
    name: {{ $ref.name }}
    items: [{ key: {{ $ref.key }}, path: {{ $file }} }]
{{- end }}
{{- end }}
{{- end -}}
