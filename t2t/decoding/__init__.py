"""Generation: functions over a model's cached decode step."""
