"""A run's life: writer, reader, context, decorator."""
