"""From what is wanted to what is written: the bodies of owned objects and statuses as Kubernetes takes them."""
