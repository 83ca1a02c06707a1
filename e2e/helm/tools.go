//go:build tools

// Package helm pins the helm that the chart's end-to-end cases run.
package helm

import _ "helm.sh/helm/v3/cmd/helm"
