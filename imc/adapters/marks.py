"""Our marks on what we make in clouds: tags, labels or metadata, or whatever a cloud has instead."""

POOL, WORKER = "prominence.pool", "prominence.worker"
