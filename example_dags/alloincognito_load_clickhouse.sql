-- Run before each load. A column that you add to FIELDS belongs here, too. On a cluster, use ReplicatedMergeTree.
-- Not LowCardinality(Nullable(String)): nulls that arrive as Arrow would be empty texts in it.
CREATE TABLE IF NOT EXISTS calls (
    date            Date,                       -- the local day of started_at
    row_key         String,
    call_id         Nullable(String),
    started_at      DateTime64(6, 'UTC'),
    direction       Nullable(String),
    caller          Nullable(String),
    called          Nullable(String),
    talk_seconds    Nullable(Int64),
    record_file_id  Nullable(String)
) ENGINE = MergeTree PARTITION BY date ORDER BY (started_at, row_key);

CREATE TABLE IF NOT EXISTS recordings (
    date            Date,
    record_file_id  String,
    path            Nullable(String),
    bytes           Nullable(Int64),
    sha256          Nullable(String),
    status          LowCardinality(String),     -- fetched, skipped or failed
    error           Nullable(String)
) ENGINE = MergeTree PARTITION BY date ORDER BY record_file_id;
