CREATE TABLE feedback (
    id INTEGER PRIMARY KEY,
    feedback_id TEXT UNIQUE NOT NULL,
    timestamp TEXT NOT NULL,
    prompt TEXT NOT NULL,
    output TEXT NOT NULL,
    rating INTEGER,
    thumbs_up BOOLEAN,
    tags TEXT,
    context TEXT,
    notes TEXT
);
