"""What Kubernetes objects look like to us: trimmed, frozen models, and the table of their kinds."""
