-- What the report shows: a year up to the newest day. PostgreSQL and DuckDB understand all of it.
-- Each query has a name, its chart's: charts.py says which columns it takes.

-- query: days
SELECT
    date,
    count(*) AS calls,
    CAST(coalesce(sum(talk_seconds), 0) AS BIGINT) AS talk_seconds,
    count(*) FILTER (WHERE talk_seconds > 0) AS answered
FROM calls
WHERE date > (SELECT max(date) FROM calls) - 365
GROUP BY date
ORDER BY date;

-- query: hours
SELECT
    CAST(extract(ISODOW FROM started_at AT TIME ZONE '{zone}') AS INTEGER) AS weekday,
    CAST(extract(HOUR FROM started_at AT TIME ZONE '{zone}') AS INTEGER) AS hour,
    count(*) AS calls
FROM calls
WHERE date > (SELECT max(date) FROM calls) - 365
GROUP BY 1, 2;

-- query: outcomes
-- If your server tells an outcome, and you have a column for it, put it in place of the CASE.
SELECT direction, CASE WHEN talk_seconds > 0 THEN 'answered' ELSE 'unanswered' END AS outcome, count(*) AS calls
FROM calls
WHERE date > (SELECT max(date) FROM calls) - 365
GROUP BY 1, 2;

-- query: numbers
SELECT number, count(*) AS calls
FROM (
    SELECT caller AS number FROM calls WHERE date > (SELECT max(date) FROM calls) - 365
    UNION ALL
    SELECT called FROM calls WHERE date > (SELECT max(date) FROM calls) - 365
) AS parties
WHERE number <> ''
GROUP BY number
ORDER BY calls DESC, number
LIMIT 10;

-- query: recordings
SELECT
    date,
    count(*) FILTER (WHERE status <> 'failed') AS landed,
    count(*) FILTER (WHERE status = 'failed') AS failed
FROM recordings
WHERE date > (SELECT max(date) FROM calls) - 365
GROUP BY date
ORDER BY date;
