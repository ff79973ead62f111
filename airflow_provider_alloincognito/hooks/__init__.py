"""A Connection becomes a client: settings, token store, secrets masking."""
