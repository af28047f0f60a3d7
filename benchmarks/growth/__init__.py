"""What one more unit of work costs as the whole grows: a curve for each axis along which an installation may grow."""
