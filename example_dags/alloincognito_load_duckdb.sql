-- The tables, and how one period is replaced in them: run in one transaction by alloincognito_load_duckdb.py.
-- Columns that you add to FIELDS in the daily DAG are to be added here, and to tables that exist by ALTER TABLE.
CREATE TABLE IF NOT EXISTS calls (
    date DATE NOT NULL,  -- the day of started_at in the API's time zone
    row_key TEXT NOT NULL,
    call_id TEXT,
    started_at TIMESTAMP WITH TIME ZONE NOT NULL,
    direction TEXT,
    caller TEXT,
    called TEXT,
    talk_seconds BIGINT,
    record_file_id TEXT
);
CREATE TABLE IF NOT EXISTS recordings (
    date DATE NOT NULL,
    record_file_id TEXT NOT NULL,
    path TEXT,
    bytes BIGINT,
    sha256 TEXT,
    status TEXT,  -- fetched, skipped (it was there before), failed
    error TEXT
);

DELETE FROM calls WHERE started_at >= $period_start AND started_at < $period_end;
-- If the period is part of a day, the recordings of the day's other calls stay; if it landed without recordings, all do.
DELETE FROM recordings WHERE $has_recordings AND date BETWEEN $first_day AND $last_day AND NOT EXISTS (
    SELECT 1 FROM calls
    WHERE calls.date BETWEEN $first_day AND $last_day AND calls.record_file_id = recordings.record_file_id
);

INSERT INTO calls BY NAME SELECT * FROM landed_calls;
-- A period of several days has one manifest: each recording gets the day of its call.
INSERT INTO recordings BY NAME
SELECT coalesce(day, date) AS date, * EXCLUDE (date, day)
FROM landed_recordings LEFT JOIN (
    SELECT record_file_id, min(date) AS day
    FROM calls
    WHERE started_at >= $period_start AND started_at < $period_end
    GROUP BY record_file_id
) USING (record_file_id);
