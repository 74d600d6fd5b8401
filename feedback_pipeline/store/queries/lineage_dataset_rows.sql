-- What a dataset is made of: sums over its rows, and its heaviest ones.
SELECT count(*) AS rows, COALESCE(sum(lines), 0) AS lines, COALESCE(sum(cardinality(feedback_ids)), 0) AS votes
FROM dataset_row WHERE dataset_id = :id
