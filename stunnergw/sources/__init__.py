"""Where events come from: files of manifests, read as an API server would take them, and watched."""
