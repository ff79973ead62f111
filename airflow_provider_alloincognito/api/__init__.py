"""The remote API in Python: requests, answers, tokens, errors. Knows nothing of Airflow."""
