"""Write what a command proposes: the Connection, and the mapping in the file of the daily DAG."""
