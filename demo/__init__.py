"""The demonstration: the daily DAG over three days of the sandbox (``make demo``), and a look around (``make up``)."""
