"""One script for each schema version."""
