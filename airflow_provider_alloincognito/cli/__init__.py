"""The commands ``airflow alloincognito ...``: the first contact with a server, and questions from a terminal."""
