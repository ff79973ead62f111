-- Tables: run before each load, for each month of its period. A column that you add to FIELDS belongs here, too.
SELECT pg_advisory_xact_lock(hashtext('alloincognito'));

CREATE TABLE IF NOT EXISTS calls (
    date            date         NOT NULL,  -- the local day of started_at
    row_key         text         NOT NULL,
    call_id         text,
    started_at      timestamptz  NOT NULL,
    direction       text,
    caller          text,
    called          text,
    talk_seconds    bigint,
    record_file_id  text,
    PRIMARY KEY (date, row_key)
) PARTITION BY RANGE (date);

CREATE TABLE IF NOT EXISTS recordings (
    date            date    NOT NULL,
    record_file_id  text    NOT NULL,
    path            text,
    bytes           bigint,
    sha256          text,
    status          text    NOT NULL,       -- fetched, skipped or failed
    error           text,
    PRIMARY KEY (date, record_file_id)
) PARTITION BY RANGE (date);

CREATE TABLE IF NOT EXISTS calls_{month:%Y_%m} PARTITION OF calls
    FOR VALUES FROM ('{month}') TO ('{next_month}');
CREATE TABLE IF NOT EXISTS recordings_{month:%Y_%m} PARTITION OF recordings
    FOR VALUES FROM ('{month}') TO ('{next_month}');

-- Calls: run at the beginning of the transaction that loads.
SELECT pg_advisory_xact_lock(hashtext('alloincognito'));

DELETE FROM calls
WHERE date BETWEEN '{first_day}' AND '{last_day}' AND started_at >= '{start}' AND started_at < '{end}';

-- Recordings: run next. If the period is part of a day, the recordings of the day's other calls stay.
DELETE FROM recordings
WHERE date BETWEEN '{first_day}' AND '{last_day}' AND NOT EXISTS (
    SELECT FROM calls
    WHERE calls.date BETWEEN '{first_day}' AND '{last_day}' AND calls.record_file_id = recordings.record_file_id
);
CREATE TEMPORARY TABLE landed_recordings (LIKE recordings) ON COMMIT DROP;

-- Days: run last, with what has landed in landed_recordings. Each recording gets the day of its call.
INSERT INTO recordings (date, record_file_id, path, bytes, sha256, status, error)
SELECT coalesce(days.date, landed.date), landed.record_file_id, path, bytes, sha256, status, error
FROM landed_recordings AS landed LEFT JOIN (
    SELECT record_file_id, min(date) AS date
    FROM calls
    WHERE date BETWEEN '{first_day}' AND '{last_day}' AND started_at >= '{start}' AND started_at < '{end}'
    GROUP BY record_file_id
) AS days ON days.record_file_id = landed.record_file_id;
