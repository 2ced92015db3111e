{{- define "skein.fullname" -}}
{{- if contains "skein" .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-skein" .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "skein.selector" -}}
app.kubernetes.io/name: skein
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "skein.labels" -}}
{{ include "skein.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "skein.image" -}}
{{- $repository := required "image.repository: build the image from the Dockerfile, push it, and name it here" .Values.image.repository -}}
{{- if .Values.image.digest -}}
{{ $repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ $repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{- define "skein.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{ .Values.serviceAccount.name | default (include "skein.fullname" .) }}
{{- else -}}
{{ .Values.serviceAccount.name | default "default" }}
{{- end -}}
{{- end -}}

{{/* The name of the secret with the certificate of the routes; empty without. */}}
{{- define "skein.routesSecret" -}}
{{- if .Values.cluster.tls.certManager.enabled -}}
{{ include "skein.fullname" . }}-nodes-tls
{{- else -}}
{{ .Values.cluster.tls.existingSecret }}
{{- end -}}
{{- end -}}

{{/* "true" when the nodes speak to one another themselves. */}}
{{- define "skein.routes" -}}
{{- if and (gt (int (include "skein.most" .)) 1) (not .Values.cluster.nats.existingSecret) -}}true{{- end -}}
{{- end -}}

{{/* Not empty if calls go from node to node. */}}
{{- define "skein.passesCalls" -}}
{{- if and (gt (int (include "skein.most" .)) 1) .Values.calls.enabled -}}true{{- end -}}
{{- end -}}

{{/* The most nodes that there can be. */}}
{{- define "skein.most" -}}
{{- if .Values.autoscaling.enabled -}}{{ .Values.autoscaling.maxReplicas }}{{- else -}}{{ .Values.replicas }}{{- end -}}
{{- end -}}

{{/* Combinations that would lose data or not start are refused here. */}}
{{- define "skein.check" -}}
{{- if .Values.database.sqlite -}}
{{- if gt (int (include "skein.most" .)) 1 -}}{{- fail "database.sqlite: one node only; set replicas to 1 and autoscaling.enabled to false, or give it a PostgreSQL" -}}{{- end -}}
{{- if .Values.database.existingSecret -}}{{- fail "database: either sqlite or existingSecret" -}}{{- end -}}
{{- else -}}
{{- $_ := required "database.existingSecret: name a secret with the URL of PostgreSQL, or set database.sqlite to true" .Values.database.existingSecret -}}
{{- $_ := required "secretKey.existingSecret: name a secret with the key that all nodes share" .Values.secretKey.existingSecret -}}
{{- end -}}
{{- if and .Values.cluster.tls.certManager.enabled (not .Values.cluster.tls.certManager.issuerRef.name) -}}{{- fail "cluster.tls.certManager.issuerRef.name: name an issuer" -}}{{- end -}}
{{- if and (include "skein.routes" .) (not (include "skein.routesSecret" .)) (not .Values.cluster.plain) -}}{{- fail "cluster: the nodes tell one another messages; give them certificates (cluster.tls.certManager or cluster.tls.existingSecret), or set cluster.plain to true where the network encrypts by itself" -}}{{- end -}}
{{- if and .Values.ingress.enabled (not .Values.ingress.hosts) -}}{{- fail "ingress.hosts: name at least one host" -}}{{- end -}}
{{- range $reserved := list "listen" "data" "db" "secret_key" "admin" "drain" "cluster" "tls" "behind_proxy" "dev" -}}
{{- if hasKey $.Values.config $reserved -}}{{- fail (printf "config.%s: the chart sets this by itself; see values.yaml" $reserved) -}}{{- end -}}
{{- end -}}
{{- if lt (int .Values.drain.timeoutSeconds) (int (add .Values.drain.delaySeconds .Values.drain.spreadSeconds)) -}}{{- fail "drain.timeoutSeconds: at least delaySeconds and spreadSeconds together" -}}{{- end -}}
{{- end -}}

{{/* The server's file. */}}
{{- define "skein.config" -}}
{{- $seconds := "%vs" -}}
{{- $own := dict
  "listen" "0.0.0.0:8080"
  "data" "/var/lib/skein"
  "admin" (dict "listen" (printf "0.0.0.0:%v" .Values.admin.port) "allow_remote" true)
  "drain" (dict "delay" (printf $seconds .Values.drain.delaySeconds) "spread" (printf $seconds .Values.drain.spreadSeconds) "timeout" (printf $seconds .Values.drain.timeoutSeconds))
-}}
{{- if .Values.tls.existingSecret -}}
{{- $_ := set $own "tls" (dict "cert" "/etc/skein/tls/tls.crt" "key" "/etc/skein/tls/tls.key") -}}
{{- else -}}
{{- $_ := set $own "behind_proxy" .Values.behindProxy.networks -}}
{{- end -}}
{{- if include "skein.routes" . -}}
{{- $peers := list -}}
{{- $name := include "skein.fullname" . -}}
{{- /* Three are enough to find all the others. */ -}}
{{- range $i := until (int (min 3 (int (include "skein.most" .)))) -}}
{{- $peers = append $peers (printf "%s-%d.%s-nodes.%s.svc.%s:%v" $name $i $name $.Release.Namespace $.Values.cluster.domain $.Values.cluster.port) -}}
{{- end -}}
{{- $cluster := dict "listen" (printf "0.0.0.0:%v" .Values.cluster.port) "peers" $peers -}}
{{- if include "skein.routesSecret" . -}}
{{- $cluster = merge $cluster (dict "cert" "/etc/skein/nodes/tls.crt" "key" "/etc/skein/nodes/tls.key" "ca" "/etc/skein/nodes/ca.crt") -}}
{{- else -}}
{{- $_ := set $cluster "plain" true -}}
{{- end -}}
{{- $_ := set $own "cluster" $cluster -}}
{{- end -}}
{{- if include "skein.passesCalls" . -}}
{{- $_ := set $own "cluster" (merge (dict "sfu" (printf ":%v" .Values.cluster.callsPort)) (default dict $own.cluster)) -}}
{{- end -}}
{{- $default := dict "log" (dict "format" "json") -}}
{{- if .Values.calls.enabled -}}
{{- $_ := set $own "rtc" (dict "port" .Values.calls.port) -}}
{{- else -}}
{{- $_ := set $default "sfu" "off" -}}
{{- end -}}
{{- toYaml (merge $own ($default | merge (deepCopy .Values.config))) -}}
{{- end -}}
