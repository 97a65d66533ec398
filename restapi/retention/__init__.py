"""What is kept for how long: a process of its own on the access point that takes away what has had its time."""
