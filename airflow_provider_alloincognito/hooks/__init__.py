"""From a Connection to a client: settings, token stores, masking of secrets."""
