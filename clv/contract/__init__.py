"""From raw tables to accepted ones: rules, flags, the quarantine, the verdict."""
