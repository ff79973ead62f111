"""
``make soak``: a standalone Airflow that lands days of calls for an hour while the API fails and tasks are killed.

At the end all that landed must equal the sandbox's own list of calls, no task may have failed but those whose faults
outlasted their retries, and no process may have grown.
"""
