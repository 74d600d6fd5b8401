INSERT INTO feedback (feedback_id, timestamp, prompt, output, rating, thumbs_up, tags, context, notes)
VALUES (:feedback_id, :timestamp, :prompt, :output, :rating, :thumbs_up, :tags, :context, :notes);
