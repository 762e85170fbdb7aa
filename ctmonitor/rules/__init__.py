"""Rules: what an operator looks for, judged on names; pure, without I/O."""
