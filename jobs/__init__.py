"""Jobs, schedules and sensors: what runs, and when. What is computed is the assets' business."""
