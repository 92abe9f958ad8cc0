{{- define "hubtalk.name" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 50 | trimSuffix "-" }}{{ else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 50 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "hubtalk.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name | trunc 63 }}
{{- end }}

{{- define "hubtalk.labels" -}}
{{ include "hubtalk.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 }}
{{- end }}

{{- define "hubtalk.serviceAccount" -}}
{{ .Values.serviceAccount.name | default (include "hubtalk.name" .) }}
{{- end }}

{{- /* Cluster-wide objects have the namespace in their names: a release of the same name may be in another. */ -}}
{{- define "hubtalk.clusterName" -}}
{{ printf "%s:%s" .Release.Namespace (include "hubtalk.name" .) }}
{{- end }}

{{- /* The settings, as YAML: what the chart works out, then what the values say. */ -}}
{{- define "hubtalk.settings" -}}
{{- $name := include "hubtalk.name" . -}}
{{- $found := dict -}}
{{- if .Values.ssh.enabled }}{{ $_ := set $found "HUB_SSH_PORT" (toString .Values.ssh.port) }}{{ end -}}
{{- if .Values.trustedProxies }}{{ $_ := set $found "FORWARDED_ALLOW_IPS" .Values.trustedProxies }}{{ end -}}
{{- if .Values.ingress.enabled }}
{{- $_ := set $found "HUB_PUBLIC_URL" (printf "%s://%s" (ternary "https" "http" (ne .Values.ingress.tlsSecret "")) .Values.ingress.host) -}}
{{- end -}}
{{- if .Values.clusters.inCluster }}
{{- $_ := set $found "HUB_CLUSTERS" "in-cluster" -}}
{{- $_ := set $found "HUB_CLUSTER_HUB_URL" (printf "http://%s.%s.svc:%v" $name .Release.Namespace .Values.service.port) -}}
{{- $_ := set $found "HUB_CLUSTER_PEERS" .Release.Namespace -}}
{{- end -}}
{{- if .Values.clusters.kubeconfigSecret }}{{ $_ := set $found "HUB_CLUSTER_KUBECONFIG" "/etc/hubtalk/kubeconfig/config" }}{{ end -}}
{{- /* Helm reads numbers as floats, and prints large ones with an exponent; JSON does not. */ -}}
{{- range $key, $value := .Values.settings }}
{{- $_ := set $found $key (ternary $value (toJson $value) (kindIs "string" $value)) -}}
{{- end -}}
{{- toYaml $found -}}
{{- end }}

{{- /* Refuses what cannot work, before anything is made. */ -}}
{{- define "hubtalk.check" -}}
{{- $settings := include "hubtalk.settings" . | fromYaml -}}
{{- $given := dict -}}
{{- range .Values.extraEnv }}{{ $_ := set $given .name true }}{{ end -}}
{{- $database := .Values.secrets.HUB_DATABASE_URL | default "" -}}
{{- $storage := get $settings "HUB_STORAGE_URL" | default "" -}}
{{- if eq .Values.mode "files" }}
{{- if gt (int .Values.replicas) 1 }}
{{- fail "replicas: several replicas share PostgreSQL and an S3-compatible store. Set mode: external and name both, or replicas: 1." }}
{{- end }}
{{- if or $database (hasKey $given "HUB_DATABASE_URL") (hasPrefix "s3:" $storage) }}
{{- fail "mode: files keeps everything on one volume. For PostgreSQL and an S3-compatible store set mode: external." }}
{{- end }}
{{- else }}
{{- if not (or $database .Values.existingSecret (hasKey $given "HUB_DATABASE_URL")) }}
{{- fail "mode: external needs PostgreSQL: set HUB_DATABASE_URL in secrets, in existingSecret or by extraEnv." }}
{{- end }}
{{- if and $database (not (hasPrefix "postgresql" $database)) }}
{{- fail "mode: external needs PostgreSQL: HUB_DATABASE_URL must be postgresql+psycopg://user:password@host/name." }}
{{- end }}
{{- if not (hasPrefix "s3://" $storage) }}
{{- fail "mode: external needs an S3-compatible store: set HUB_STORAGE_URL to s3://bucket/prefix in settings." }}
{{- end }}
{{- end }}
{{- if and .Values.ingress.enabled (not .Values.ingress.host) }}
{{- fail "ingress.host: name the host that people use." }}
{{- end }}
{{- if and .Values.clusters.kubeconfigSecret (not (get $settings "HUB_CLUSTERS")) }}
{{- fail "clusters.kubeconfigSecret: name the contexts to use in HUB_CLUSTERS of settings." }}
{{- end }}
{{- end }}
