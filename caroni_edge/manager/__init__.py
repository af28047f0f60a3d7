"""The workflow manager: knows templates, workflows and steps, and says what they need."""
