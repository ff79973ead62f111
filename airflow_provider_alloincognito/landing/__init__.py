"""Answers become files: formats, whole files, manifests. Knows the API's answers, nothing of Airflow's tasks."""
