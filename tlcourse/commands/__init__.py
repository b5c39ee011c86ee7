"""Sub-commands of `tlhelpers` that have no module of their own: what they take, and what they print."""
