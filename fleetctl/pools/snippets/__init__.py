"""What a daemon needs to talk to the overseer: one short file a language, to be copied."""
