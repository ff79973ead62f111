"""``make demo`` runs the example DAGs against the sandbox; ``make up`` starts Airflow's UI and the sandbox."""
