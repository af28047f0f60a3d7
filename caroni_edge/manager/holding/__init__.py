"""What a manager itself holds: files that people have uploaded, and copies of what agents have."""
