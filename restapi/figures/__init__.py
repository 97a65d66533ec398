"""What Prometheus reads of the API: the process that tells it."""
