"""The learner on Gymnasium environments, without topics: train, evaluate, plot, export."""
