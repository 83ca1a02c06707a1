{{/* What the objects of a release are called: the release, with "holdfast" in it. */}}
{{- define "holdfast.name" -}}
{{- $name := contains "holdfast" .Release.Name | ternary .Release.Name (printf "%s-holdfast" .Release.Name) }}
{{- $name | trunc 52 | trimSuffix "-" }}
{{- end }}

{{- define "holdfast.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (include "holdfast.name" .) }}
{{- end }}

{{/* What selects the operator's pods; immutable in a Deployment, so it never grows. */}}
{{- define "holdfast.selector" -}}
app.kubernetes.io/name: holdfast-operator
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "holdfast.labels" -}}
{{ include "holdfast.selector" . }}
app.kubernetes.io/component: operator
app.kubernetes.io/part-of: holdfast
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{/* An image by digest or by tag: (dict "image" .Values.image "root" $), with "prefix" for the tag that is not given. */}}
{{- define "holdfast.image" -}}
{{- $repository := .image.repository }}
{{- with .root.Values.registry }}{{ $repository = printf "%s/%s" . $repository }}{{ end }}
{{- if .image.digest }}{{ $repository }}@{{ .image.digest }}
{{- else }}{{ $repository }}:{{ .image.tag | default (print (.prefix | default "") .root.Chart.AppVersion) }}{{ end }}
{{- end }}

{{/* Restricted Pod Security Standard, of a pod and of its container. */}}
{{- define "holdfast.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "holdfast.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}
