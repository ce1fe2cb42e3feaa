"""What listens: config discovery and polling for data planes; inspection, health and metrics for people."""
