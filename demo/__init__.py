"""The demonstration: the daily DAG over three days of the sandbox's calls (``make demo``), and a look around (``up``)."""
