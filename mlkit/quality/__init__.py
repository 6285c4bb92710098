"""Tables in, reports out: drift, performance, and the gates that a version must pass."""
