"""What driver, agent and learner agree on."""
