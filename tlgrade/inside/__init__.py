"""Programs that run inside the box. Each is one file that imports nothing of the package, which is masked there."""
