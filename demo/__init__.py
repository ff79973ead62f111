"""``make demo`` runs the daily DAG against the sandbox; ``make up`` starts Airflow's UI and the sandbox."""
