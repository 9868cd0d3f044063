"""Many runs: designs say which, executors say where."""
