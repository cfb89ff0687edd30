"""What several steps share: questions, the port, the daemon, passes, the zone. No step stands here."""
