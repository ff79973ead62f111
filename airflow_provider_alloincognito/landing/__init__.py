"""Write responses to files: calls, recordings and their manifests. Knows the API's responses, but no Airflow tasks."""
