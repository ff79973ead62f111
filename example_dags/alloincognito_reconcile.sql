-- What differs between the calls of a day that have landed and those that the server lists now, by their key.
WITH
    landed_rows AS (SELECT row_key, hash(landed) AS content FROM landed),
    listed_rows AS (SELECT row_key, hash(listed) AS content FROM listed)
SELECT
    count(*) FILTER (landed_rows.row_key IS NULL) AS added,
    count(*) FILTER (landed_rows.content <> listed_rows.content) AS changed,
    count(*) FILTER (listed_rows.row_key IS NULL) AS gone
FROM landed_rows FULL JOIN listed_rows ON landed_rows.row_key = listed_rows.row_key
