"""Builds, runs, checks and publishes the course; for its authors and for CI. Learners need only `tlhelpers`."""
