"""What the end-to-end cases run on: an API server, an operator, kubectl, and the parts of a cluster that are missing."""
