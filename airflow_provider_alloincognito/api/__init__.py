"""The remote API in Python: requests, responses, tokens. Knows nothing of Airflow."""
