"""The adapter for Kubernetes: each workload is a Deployment (or a KServe InferenceService) and a Service in its owner's namespace."""
