"""AlloIncognito's calls and recordings for Apache Airflow."""

__version__ = "0.1.0"
